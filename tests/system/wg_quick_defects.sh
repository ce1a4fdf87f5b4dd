#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What wg-quick 1.0.20210914 gets wrong, each reproduced with it once, and what wgd does instead. Of D5, `save`
# itself is for the test of that verb.
#
#   defect                                                              tested
#   D1  reload takes a full tunnel's mark away; then down leaves rules  here, unit/plan/diff_test
#   D2  reload erases a key that PreUp set, and changes the port        here, unit/plan/derive_test
#   D3  down of one full tunnel takes the others' rules along           two_tunnels.sh, unit/control/manager_test
#   D4  two full tunnels at once: no rules at all                       two_tunnels.sh, unit/control/manager_test
#   D5  save drops comments, names, search domains                      unit/config/editor_test (the editor)
#   D6  DNS with search domains alone is ignored silently               here, unit/config/parser_test
#   D7  IPv6 addresses on a machine without IPv6 abort everything       bad_input.sh, unit/plan/derive_test
#   D8  an allowed IP that is a route already aborts half way           here, bad_input.sh
#   D9  hooks of the way down: failing ones, and after a failed up      here, unit/control/hooks_test
#   D10 ports above 65535 are cut                                       here, bad_input.sh, unit/config/parser_test
#   D11 Table = OFF, Auto                                               here, unit/config/parser_test
#   D12 src_valid_mark stays                                            here, unit/control/manager_test
#   D13 a wrong key is found after PreUp and the link                   here, unit/config/parser_test
#   D14 a profile in the current directory is looked for elsewhere      here
#   D15 mistakes in its manual                                          man/wgctl.1 says what is done
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg jq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
start_wgd home
snapshot home "$SCENE/before"

# A profile with lines added to its [Interface].
profile_with() { # NAME LINE...
    local name=$1
    shift
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^DNS/d' | {
        read -r first
        printf '%s\n' "$first" "$@"
        cat
    } | write_profile home "$name"
}
split_with() { # NAME LINE...
    profile_with "$@"
    on home sed -i 's|^AllowedIPs.*|AllowedIPs = 10.5.0.0/24, fd05::/64|' "/etc/wireguard/$1.conf"
}
check_as_before() {
    on home bash -c 'rm -f /etc/wireguard/*.conf /run/told'
    snapshot home "$SCENE/after"
    check_same "  ... and the machine is as before" "$SCENE/before" "$SCENE/after"
}
told() { on home cat /run/told 2>/dev/null | tr '\n' ' '; }
check_told() { # DESCRIPTION EXPECTED
    check "$1 (told: $(told))" test "$(told)" = "$2"
}
tunnel_rules() { # FAMILY
    on home ip -j "-$1" rule show | jq '[.[] | select(.priority != 0 and .priority < 32766)] | length'
}

heading "D1: the mark is gone from the device; down finds its rules all the same"
profile_with d1
check "up" wgctl home up d1
check "  ... rules of both families" test "$(tunnel_rules 4) $(tunnel_rules 6)" = "2 2"
on home wg set d1 fwmark 0
check "down" wgctl home down d1
check_as_before

heading "D1: reload keeps a full tunnel's mark and rules"
profile_with d1
check "up" wgctl home up d1
mark=$(on home wg show d1 fwmark)
on home sed -i 's/^PersistentKeepalive.*/PersistentKeepalive = 17/' /etc/wireguard/d1.conf
check "reload of a changed profile" wgctl home reload d1
check "  ... the change is there" test "$(on home wg show d1 persistent-keepalive | cut -f2)" = 17
check "  ... and the mark is what it was ($mark)" test "$mark" != off -a "$(on home wg show d1 fwmark)" = "$mark"
check "  ... with rules of both families" test "$(tunnel_rules 4) $(tunnel_rules 6)" = "2 2"
check "down" wgctl home down d1
check_as_before

heading "D2: reload keeps a key that a hook set, and the port that was drawn"
split_with d2 "PreUp = echo '$HOME_KEY' | wg set %i private-key /dev/stdin"
on home sed -i '/^PrivateKey/d' /etc/wireguard/d2.conf
check "up" wgctl home up d2
check "  ... with the hook's key" test "$(on home wg show d2 public-key)" = "$HOME_PUBLIC"
port=$(on home wg show d2 listen-port)
on home sed -i 's/^PersistentKeepalive.*/PersistentKeepalive = 17/' /etc/wireguard/d2.conf
check "reload of a changed profile" wgctl home reload d2
check "  ... the change is there" test "$(on home wg show d2 persistent-keepalive | cut -f2)" = 17
check "  ... and the key is the hook's" test "$(on home wg show d2 public-key)" = "$HOME_PUBLIC"
check "  ... and the port the same ($port)" test "$(on home wg show d2 listen-port)" = "$port"
check "down" wgctl home down d2
check_as_before

heading "D6: DNS with search domains alone is not ignored silently"
split_with d6 'DNS = corp.example'
check "up" wgctl home up d6
check "  ... they are added to what there is" on home grep -q '^search corp\.example' /etc/resolv.conf
check_shown "  ... and it says what became of them" wgctl home status d6
check_says "  ... in words" 'dns: +corp\.example by file'
check "down" wgctl home down d6
check_as_before

heading "D8: the network of a local link is an allowed IP: refused before anything is touched, by name"
split_with d8 "PreUp = echo preup >>/run/told"
on home sed -i 's|^AllowedIPs.*|AllowedIPs = 192.0.2.0/24|' /etc/wireguard/d8.conf
check_refused "up" 7 '192\.0\.2\.0/24.*eth0' wgctl home up d8
check_told "no hook ran" ""
check_as_before

heading "D9: a PreDown or PostDown that fails keeps nothing up, and the others run"
split_with d9 'PreDown = echo predown >>/run/told; false' 'PreDown = echo predown2 >>/run/told' \
    'PostDown = echo postdown >>/run/told; exit 3' 'PostDown = echo postdown2 >>/run/told'
check "up" wgctl home up d9
check "down" wgctl home down d9
check_told "every hook of the way down ran, in order" "predown predown2 postdown postdown2 "
check_as_before

heading "D9: what PostUp did is taken back when a later PostUp fails"
split_with d9 'PreUp = echo preup >>/run/told' 'PostUp = echo postup >>/run/told' \
    'PostUp = echo broken >&2; exit 9' 'PostUp = echo never >>/run/told' \
    'PreDown = echo predown >>/run/told' 'PostDown = echo postdown >>/run/told'
check_refused "up, with the hook's own words" 1 'PostUp.*status 9.*broken' wgctl home up d9
check_told "PreDown and PostDown ran after it" "preup postup predown postdown "
check_as_before

heading "D9: a PreUp that fails: PostDown takes back what it began, and nothing else ran"
split_with d9 'PreUp = echo preup >>/run/told; false' 'PostUp = echo postup >>/run/told' \
    'PreDown = echo predown >>/run/told' 'PostDown = echo postdown >>/run/told'
check_refused "up" 1 'PreUp.*status 1' wgctl home up d9
check_told "of the hooks" "preup postdown "
check_as_before

heading "D10: ports are not cut to 16 bits"
split_with d10 'ListenPort = 65536'
check_refused "ListenPort = 65536" 5 'd10\.conf:2:.*port' wgctl home up d10
check_as_before

heading "D11: Table = OFF and Auto, in any case"
profile_with d11 'Table = OFF'
check "Table = OFF: up" wgctl home up d11
check "  ... no routes, no rules" test "$(on home ip route show dev d11 | wc -l) $(tunnel_rules 4)" = "0 0"
check "down" wgctl home down d11
profile_with d11 'Table = Auto'
check "Table = Auto: up" wgctl home up d11
check "  ... as if it was not there" test "$(tunnel_rules 4) $(tunnel_rules 6)" = "2 2"
check "down" wgctl home down d11
check_as_before

heading "D12: src_valid_mark goes back to what it was"
valid_mark() { on home cat /proc/sys/net/ipv4/conf/all/src_valid_mark; }
profile_with d12
check "up" wgctl home up d12
check "  ... it is 1" test "$(valid_mark)" = 1
check "down" wgctl home down d12
check "  ... it is 0" test "$(valid_mark)" = 0
on home sysctl -q net.ipv4.conf.all.src_valid_mark=1
check "up, where the administrator had set it" wgctl home up d12
check "down" wgctl home down d12
check "  ... it is 1 still" test "$(valid_mark)" = 1
on home sysctl -q net.ipv4.conf.all.src_valid_mark=0
check_as_before

heading "D13: an unknown key is found before PreUp runs"
split_with d13 'PreUp = echo preup >>/run/told' 'Foo = bar'
check_refused "up" 5 'd13\.conf:3:.*Foo' wgctl home up d13
check_told "no hook ran" ""
check_as_before

heading "D14: a profile's file name where its name is asked for"
split_with d14
on home install -m 0600 /etc/wireguard/d14.conf /run/d14.conf
check_refused "up d14.conf in its directory says what it takes" 2 'd14' on home env -C /run "$BIN/wgctl" up ./d14.conf
on home rm /run/d14.conf
check_as_before
finish
