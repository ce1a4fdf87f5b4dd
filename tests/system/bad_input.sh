#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What people get wrong: each is refused with its own exit status and a sentence that names the cause, and the
# machine is what it was, byte for byte.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg nft setpriv
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
start_bus home
start_wgd home
snapshot home "$SCENE/before"
START=$SCENE/before

# The machine is as it was when START was taken; `changed` by the test itself is told with `settle`.
check_untouched() {
    snapshot home "$SCENE/now"
    check_same "  ... and nothing was touched" "$START" "$SCENE/now"
}
settle() {
    START=$SCENE/settled
    snapshot home "$START"
}
good_profile() { full_tunnel_profile "$PEER_V4:$PEER_PORT"; }

# A profile text that must be refused by up, plan and check alike.
bad_profile() { # DESCRIPTION STATUS REGEX (text on stdin)
    local description=$1 status=$2 regex=$3
    write_profile home bad
    settle
    check_refused "$description: up" "$status" "$regex" wgctl home up bad
    check_refused "$description: plan" "$status" "$regex" wgctl home plan bad
    check_refused "$description: check" "$status" "$regex" wgctl home check bad
    check_untouched
}

heading "The text of a profile"
good_profile | sed 's/^AllowedIPs/AlowedIPs/' | bad_profile "an unknown key, with a suggestion" 5 'bad\.conf:11:1: .*AlowedIPs.*AllowedIPs'
good_profile | sed 's/^Endpoint = .*/Endpoint = 203.0.113.1:70000/' | bad_profile "a port above 65535" 5 'bad\.conf:10:[0-9]+: .*(port|65535)'
good_profile | sed 's/^\[Interface\]/&\nListenPort = 0x10/' | bad_profile "a port that is no number" 5 'bad\.conf:2:[0-9]+: .*(port|number)'
good_profile | sed 's/^PublicKey = .*/PublicKey = not-a-key/' | bad_profile "a key that is none" 5 'bad\.conf:8:[0-9]+: .*key'
good_profile | sed '/^\[Interface\]/d' | bad_profile "a missing [Interface] section" 5 'bad\.conf:1:[0-9]+: .*(section|\[Interface\])'
good_profile | sed '/^PublicKey/d' | bad_profile "a peer without public key" 5 'bad\.conf:[0-9]+:[0-9]+: .*(PublicKey|public key)'
{ good_profile && good_profile | sed -n '/^\[Peer\]/,$p'; } | bad_profile "the same peer twice" 5 'bad\.conf:[0-9]+:[0-9]+: .*(twice|once)'
good_profile | sed 's|^AllowedIPs = .*|AllowedIPs = 10.0.0.0/33|' | bad_profile "a prefix length of 33" 5 'bad\.conf:11:[0-9]+: '
{ good_profile | sed 's/^AllowedIPs/AlowedIPs/; s/^PublicKey = .*/PublicKey = x/'; } | bad_profile "two mistakes, the first is told" 5 'bad\.conf:8:[0-9]+: '
check_says "two mistakes, the second is told as well" 'bad\.conf:11:1: '

heading "A profile's file"
good_profile | write_profile home bad
check "the same profile without mistakes passes the check" wgctl home check bad
on home chmod 0644 /etc/wireguard/bad.conf && settle
check_refused "world-readable" 5 'can be read by everybody' wgctl home up bad
check_untouched
on home chmod 0620 /etc/wireguard/bad.conf && settle
check_refused "writable by a group" 5 'writ' wgctl home up bad
check_untouched
on home chmod 0600 /etc/wireguard/bad.conf && on home chown 65534 /etc/wireguard/bad.conf && settle
check_refused "owned by somebody else" 5 'own' wgctl home up bad
check_untouched
on home mv /etc/wireguard/bad.conf /etc/wireguard/real.conf
on home chown 0 /etc/wireguard/real.conf
on home ln -s real.conf /etc/wireguard/bad.conf && settle
check_refused "a symbolic link" 5 'link|regular' wgctl home up bad
check_untouched
on home rm /etc/wireguard/bad.conf && on home mkfifo -m 0600 /etc/wireguard/bad.conf && settle
check_refused "a FIFO (the daemon does not hang)" 5 'regular' timeout 10 nsenter --target "${MACHINE_PID[home]}" --net --mount --root --wdns=/ -- "$BIN/wgctl" up bad
check_untouched
on home rm /etc/wireguard/bad.conf && on home mkdir /etc/wireguard/bad.conf && settle
check_refused "a directory" 5 'regular|directory' wgctl home up bad
check_untouched
on home rmdir /etc/wireguard/bad.conf
on home bash -c 'umask 077; truncate -s 65M /etc/wireguard/bad.conf' && settle
check_refused "a file of 65 MiB" 5 'large|big|bytes|MiB|KiB' wgctl home up bad
check_untouched
on home rm /etc/wireguard/bad.conf && settle
check_refused "no file" 6 'bad' wgctl home up bad
check_untouched

heading "A name"
for name in ../wireguard/real /etc/wireguard/real.conf real/../real . .. real.conf/ sixteen-letters- '' 'a b' $'real\n' '%n' 'rêve'; do
    check_refused "$(printf 'the name %q' "$name")" 2 'name|argument|usage' wgctl home up -- "$name"
done
check_untouched

heading "Something is in the way"
good_profile | write_profile home taken
on home ip link add taken type veth peer name takenpeer && settle
check_refused "a link of that name that is not ours" 7 'taken' wgctl home up taken
check_untouched
on home ip link delete taken
good_profile | sed 's|^AllowedIPs.*|AllowedIPs = 10.77.0.0/16|' | write_profile home way
on home ip route add 10.77.0.0/16 via 192.0.2.1 && settle
check_refused "a route that is not ours" 7 '10\.77\.0\.0/16' wgctl home up way
check_untouched
on home ip route delete 10.77.0.0/16

heading "IPv6 is disabled on this machine"
good_profile | write_profile home nov6
on home sysctl -q net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
settle
provider_peer
check_shown "up works" wgctl home up nov6
check_says "  ... with a warning that names IPv6" 'ipv6'
check "  ... IPv4 goes through the tunnel" on home ping -n -c 2 -i 0.2 -W 5 10.5.0.1
check "down" wgctl home down nov6
check_untouched
on home sysctl -q net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
on home bash -euc "ip address add $HOME_V6/64 dev eth0 nodad; ip route replace default via 2001:db8:1::1"

heading "The endpoint's name does not resolve, and later it does"
full_tunnel_profile "vpn.example.net:$PEER_PORT" | write_profile home name
settle
check_shown "up works" wgctl home up name
check_says "  ... with a warning that names the name" 'vpn\.example\.net'
on home bash -c "echo '$PEER_V4 vpn.example.net' >>/etc/hosts"
check "  ... and the tunnel works once the name does" wait_for 90 "the tunnel" on home ping -n -c 1 -W 1 10.5.0.1
check "down" wgctl home down name
on home sed -i '/vpn.example.net/d' /etc/hosts
check_untouched

heading "Who may ask"
install -m 0755 "$BIN/wgctl" "$SCENE/wgctl" # where everybody may run it
nobody() { on home setpriv --reuid=65534 --regid=65534 --clear-groups "$SCENE/wgctl" "$@"; }
check_refused "another user may not say up" 4 'not (authori[sz]ed|allowed)|denied|root' nobody up nov6
check_refused "another user may not say down" 4 'not (authori[sz]ed|allowed)|denied|root' nobody down nov6
check_untouched
check_refused "down of a tunnel that is not up" 6 'nov6' wgctl home down nov6
stop "$WGD_PID"
check_refused "the daemon is not running" 3 'wgd.*not' wgctl home up nov6
check_refused "the daemon is not running: status" 3 'wgd.*not' wgctl home status
stop "$BUS_PID"
check_refused "there is no bus" 3 'bus' wgctl home up nov6
finish
