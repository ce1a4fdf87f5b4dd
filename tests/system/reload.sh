#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A profile is changed under a running tunnel: `wgctl reload` applies the difference and nothing else. A TCP stream
# through the tunnel does not notice, no handshake is made again, the automatic mark and the key of a hook stay
# (wg-quick's way: compat D1, D2), and a profile with a mistake changes nothing.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"

need_tools wg jq socat strace
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

# bash announces every job that a signal ended; here that is meant to happen.
exec 2> >(grep -v ' Killed  *( exec nsenter')

make_world
provider_peer
start_bus home
printf '[defaults]\ndns = "file"\n' >"$SCENE/home/wgd.toml"
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
snapshot home "$SCENE/before"

handshakes() { on home wg show home latest-handshakes | grep "^$PEER_PUBLIC"; }
home_device() { on home wg show home dump | sed -n 1p; }
home_routes() { on home ip -4 route show table main dev home; }

heading "A TCP stream through a full tunnel"
check "up" wgctl home up home
start_numbers internet
receive_numbers home "$INTERNET_V4"
stream=$STARTED
check "it flows" flows 20
handshakes >"$SCENE/handshake"
home_device >"$SCENE/device"
check "it has made its handshake" grep -q '[1-9]' <(cut -f 2 "$SCENE/handshake")

heading "100 peers more, other routes, other DNS, another address, another MTU"
check_shown "a reload without a change" wgctl home reload home
check_says "  ... does nothing" "nothing to do"
{
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed -e '/^\[Interface\]/a MTU = 1300' \
        -e 's|^DNS = .*|DNS = 10.5.0.53, corp.example|' -e "s|^Address = .*|&, 10.66.0.1/24|"
    for i in $(seq 1 100); do
        printf '\n[Peer]\nPublicKey = %s\nAllowedIPs = 172.20.%d.0/24\n' "$(head -c 32 /dev/urandom | base64)" "$i"
    done
} | write_profile home home
check_shown "up says that the profile has changed" wgctl home up home
check_says "  ... and points to reload" "wgctl reload home"
check_shown "a dry run tells" bash -c 'nsenter --target "$1" --net --mount --root --wdns=/ -- "$2" reload home --dry-run | head -n 4' \
    - "${MACHINE_PID[home]}" "$BIN/wgctl"
check "  ... and does nothing" test "$(on home wg show home peers | wc -l)" = 1
wgctl home reload home >"$SCENE/steps" 2>&1 && pass "reload" || fail "reload" "$SCENE/steps"
check "101 peers" test "$(on home wg show home peers | wc -l)" = 101
check "100 routes" test "$(home_routes | grep -c '^172.20.')" = 100
check "the DNS" bash -c '[ "$(grep -E "^(nameserver|search)" | tr "\n" " ")" = "nameserver 10.5.0.53 search corp.example " ]' \
    < <(on home cat /etc/resolv.conf)
check "the address" grep -q 10.66.0.1/24 <(on home ip address show dev home)
check "the steps were told, all of them" test "$(grep -cE 'mtu 1300|route add 172.20.|address add 10.66.0.1/24|10.5.0.53' "$SCENE/steps")" -ge 103
check "the MTU" grep -q 'mtu 1300' <(on home ip link show home)
check "the stream flows" flows 50
home_device >"$SCENE/device-now"
check_same "key, port and mark are the same" "$SCENE/device" "$SCENE/device-now"
handshakes >"$SCENE/handshake-now"
check_same "no handshake was made again" "$SCENE/handshake" "$SCENE/handshake-now"

heading "One peer changes, the others go"
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed -e '/^PersistentKeepalive/d' | write_profile home home
check "reload" wgctl home reload home --json
check "one peer" test "$(on home wg show home peers | wc -l)" = 1
check "its keepalive is off" test "$(on home wg show home persistent-keepalive | cut -f 2)" = off
check "the DNS of before" grep -q '^nameserver 10.5.0.1$' <(on home cat /etc/resolv.conf)
check "no address more" test "$(on home ip -4 -o address show dev home | wc -l)" = 1
check "no route of the others" test "$(home_routes | grep -c '^172.20.')" = 0
check "the stream flows" flows 50
handshakes >"$SCENE/handshake-now"
check_same "no handshake was made again" "$SCENE/handshake" "$SCENE/handshake-now"

heading "A mistake"
snapshot home "$SCENE/state"
{
    full_tunnel_profile "$PEER_V4:$PEER_PORT"
    echo "AllowedIP = 10.99.0.0/16"
} | write_profile home home
snapshot home "$SCENE/state"
check_refused "a profile with a mistake is refused, and the mistake shown" 5 'home.conf:[0-9]+.*AllowedIP' wgctl home reload home
snapshot home "$SCENE/after"
check_same "nothing changed" "$SCENE/state" "$SCENE/after"
check "the stream flows" flows 20

heading "The daemon is killed in the middle of a reload"
{
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^\[Interface\]/a MTU = 1290'
    printf '\n[Peer]\nPublicKey = %s\nAllowedIPs = ' "$(head -c 32 /dev/urandom | base64)"
    seq -s ', ' -f '10.%.0f.0.0/24' 16 200
} | write_profile home home
# strace kills it at one of its messages to the kernel, as tests/system/crash.sh does at every one.
strace -p "$WGD_PID" -o "$SCENE/calls" -e trace=sendmsg,sendto -e inject=sendmsg,sendto:signal=KILL:when=120 \
    2>"$SCENE/strace.log" &
strace=$!
wait_for 10 "strace" grep -q attached "$SCENE/strace.log" || skip "strace does not attach: $(cat "$SCENE/strace.log")"
wgctl home reload home >/dev/null 2>&1
wait "$strace" "$WGD_PID" 2>/dev/null
routes_set=$(home_routes | grep -c '^10\.')
check "it was in the middle: $routes_set of 185 routes are set" test "$routes_set" -gt 0 -a "$routes_set" -lt 185
check "the stream flows without a daemon" flows 20
start_wgd home
check "the next one finishes it" wait_for 5 "185 routes" bash -c \
    "[ \$(nsenter --target ${MACHINE_PID[home]} --net ip -4 route show table main dev home | grep -c '^10\.') = 185 ]"
check_shown "nothing is left to do" wgctl home reload home
check_says "  ... it says" "nothing to do"
check "the stream flows" flows 20
handshakes >"$SCENE/handshake-now"
check_same "no handshake was made again" "$SCENE/handshake" "$SCENE/handshake-now"
kill "$stream"
check "every line came once and in order" numbers_in_order

heading "A key that a hook sets"
on home bash -c 'umask 077; cat >/etc/wireguard/hook.key' <<<"$HOME_KEY"
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed -e 's|^PrivateKey.*|PostUp = wg set %i private-key /etc/wireguard/hook.key|' |
    write_profile home hook
check "down" wgctl home down home
check "up with a key from a hook" wgctl home up hook
key=$(on home wg show hook public-key)
check "the key is there" test "$key" = "$HOME_PUBLIC"
full_tunnel_profile "$PEER_V4:$PEER_PORT" |
    sed -e 's|^PrivateKey.*|PostUp = wg set %i private-key /etc/wireguard/hook.key\nMTU = 1300|' \
        -e '/^PresharedKey\|^PersistentKeepalive/d' | write_profile home hook
check "the peer has a preshared key and a keepalive" bash -c '[ "$1" != "(none)" ] && [ "$2" != off ]' - \
    "$(on home wg show hook preshared-keys | cut -f 2)" "$(on home wg show hook persistent-keepalive | cut -f 2)"
check "reload" wgctl home reload hook
check "those that left the file are gone" test "$(on home wg show hook preshared-keys | cut -f 2) $(on home wg show hook persistent-keepalive | cut -f 2)" = "(none) off"
check "the key has stayed" test "$(on home wg show hook public-key)" = "$key"
check "the mark as well" grep -q 0xca6c <(on home wg show hook fwmark)
check "down" wgctl home down hook
on home rm /etc/wireguard/hook.key /etc/wireguard/hook.conf
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
finish
