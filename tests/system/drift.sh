#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody takes away from a running tunnel, with ip(8), nft(8) and sysctl, every object that it owns, one after the
# other (rules, routes, addresses, nftables tables, DNS, the kill switch, what makes it a gateway): it is back within a
# second, and the log and `wgctl status` tell. Somebody who does not stop is not fought for
# ever. A link that is deleted, and a datapath that is killed, fail the tunnel or bring it up again, as wgd.toml says.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg jq ping
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

# bash announces every job that a signal ended; here that is meant to happen.
exec 2> >(grep -v ' Killed  *( exec nsenter')

make_world
provider_peer
start_bus home
printf '[defaults]\ndns = "file"\n' >"$SCENE/home/wgd.toml"
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed 's|^AllowedIPs.*|&, 10.77.0.0/16|' | write_profile home home
snapshot home "$SCENE/before"

state_of() { wgctl home status --json "$1" | jq -r '.. | .state? // empty' | sed -n 1p; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
drift_count() { wgctl home status --json home | jq '.tunnels[0].drift.count'; }

# What the tunnel is, without what changes by itself.
tunnel() { # FILE
    on home bash -c '
        ip -o link show dev home | sed -E "s/^[0-9]+: //; s/ link\/.*//"
        ip -o address show dev home | sed -E "s/^[0-9]+: //; /fe80::/d" | sort
        for family in -4 -6; do
            ip $family route show table all dev home | grep -v fe80 | sort
            ip $family rule show
        done
        nft list tables | sort | sed "s/^/nft list /" | bash # in an order that is not that of their making
        sysctl -n net.ipv4.conf.all.src_valid_mark net.ipv4.ip_forward net.ipv6.conf.all.forwarding
        cat /etc/resolv.conf
        wg show home fwmark' >"$1" 2>/dev/null
}
is_back() {
    tunnel "$SCENE/now"
    cmp -s "$SCENE/tunnel" "$SCENE/now"
}

# Time is taken by this shell: what is slow here is the looking, and perhaps the machine. So it may be tried three times.
taken() { # DESCRIPTION COMMAND...
    local description=$1 begin took count
    shift
    count=$(drift_count)
    for _ in 1 2 3; do
        begin=$(date +%s%N)
        on home "$@" >"$SCENE/out" 2>&1 || {
            fail "$description: could not be taken away" "$SCENE/out"
            return
        }
        wait_for 5 "$description" is_back || {
            diff -u "$SCENE/tunnel" "$SCENE/now" >"$SCENE/diff"
            fail "$description" "$SCENE/diff"
            return
        }
        took=$((($(date +%s%N) - begin) / 1000000))
        [ "$took" -ge 1000 ] || break
    done
    check "$description: back after $took ms" test "$took" -lt 1000
    check "  ... and counted" test "$(drift_count)" -gt "$count"
}

heading "Everything that a tunnel owns"
check "up" wgctl home up home
# The link-local address of the link is ready, and what the kernel announced of that is read.
wait_for 5 "the device" on home wg show home
tunnel "$SCENE/tunnel"
table=$(on home ip -4 -j rule show | jq -r "[.[] | select(has(\"not\") and has(\"fwmark\"))][0].table")
say "its table is $table"
taken "the default route in the tunnel's table" ip route delete default table "$table"
taken "the IPv6 default route" ip -6 route delete default table "$table"
taken "a route in the main table" ip route delete 10.77.0.0/16
taken "the rule 'not fwmark'" ip rule delete not fwmark "$table" table "$table"
taken "the rule 'suppress_prefixlength'" ip rule delete table main suppress_prefixlength 0
taken "an IPv6 rule" ip -6 rule delete not fwmark "$table" table "$table"
taken "the IPv4 address" ip address delete "$TUNNEL_V4/32" dev home
taken "the IPv6 address" ip address delete "$TUNNEL_V6/128" dev home
taken "all addresses" ip address flush dev home scope global
taken "the MTU" ip link set dev home mtu 1300
taken "the link set down" ip link set dev home down
if on home nft list table inet wgd-home >/dev/null 2>&1; then
    taken "the nftables table" nft delete table inet wgd-home
    taken "the whole ruleset" nft flush ruleset
    taken "one of its chains" nft flush chain inet wgd-home preraw
else
    say "(no nftables on this machine)"
fi
taken "its DNS entry" bash -c 'echo "nameserver 192.0.2.53" >/etc/resolv.conf'
check "the log tells of a route" grep -q "home: route 10.77.0.0/16 was removed by somebody; put back" "$SCENE/home/wgd.log"
check_shown "so does status" wgctl home status home
check_says "  ... the number and the latest" 'put back: +[0-9]+ times, last: .*by somebody'
check "traffic flows" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"

heading "What somebody adds stays"
count=$(drift_count)
key=$(head -c 32 /dev/urandom | base64)
on home ip address add 10.99.0.1/24 dev home
on home wg set home peer "$key" allowed-ips 10.99.0.2/32
tunnel "$SCENE/tunnel"
taken "a route beside it" ip route delete 10.77.0.0/16
check "the address is there" grep -q 10.99.0.1 <(on home ip address show dev home)
check "the peer is there" grep -q "$key" <(on home wg show home peers)
on home ip address delete 10.99.0.1/24 dev home
on home wg set home peer "$key" remove

heading "Somebody who does not stop"
begin=$SECONDS
while [ $((SECONDS - begin)) -lt 4 ]; do on home ip -6 route delete default table "$table" 2>/dev/null || sleep 0.02; done
check "the daemon does, after five times" test "$(grep -c "route ::/0 in table $table was removed" "$SCENE/home/wgd.log")" -le 6
check "and says so" grep -q "again and again; put back, but not once more in the next 10 s" "$SCENE/home/wgd.log"
taken_before=$(drift_count)
on home ip rule delete not fwmark "$table" table "$table"
check "other things are put back meanwhile" wait_for 2 "the rule" bash -c \
    "nsenter --target ${MACHINE_PID[home]} --net ip rule show | grep -q 'not from all fwmark'"
check "  ... and counted" test "$(drift_count)" -gt "$taken_before"
check "the tunnel is up" is_state home up

heading "A kill switch and a gateway"
check "down" wgctl home down home
printf '[tunnel.home]\ndns = "file"\nkill_switch = true\nforward = true\nmasquerade = true\nmss_clamp = true\n' \
    >"$SCENE/home/wgd.toml"
kill -HUP "$WGD_PID"
wait_for 5 "the settings" grep -q 'settings read again' "$SCENE/home/wgd.log"
check "up" wgctl home up home
tunnel "$SCENE/tunnel"
check "it is both" bash -c 'grep -q "table inet wgd-lock" "$1" && grep -q masquerade "$1"' - "$SCENE/tunnel"
taken "the kill switch's table" nft delete table inet wgd-lock
taken "the rules in it" nft flush table inet wgd-lock
taken "the table that masquerades" nft delete table inet wgd-home
taken "its rules" nft flush table inet wgd-home
taken "the whole ruleset" nft flush ruleset
taken "IPv4 forwarding" sysctl -qw net.ipv4.ip_forward=0
taken "IPv6 forwarding" sysctl -qw net.ipv6.conf.all.forwarding=0
check "the log tells of the kill switch" grep -q "kill switch's nftables table was removed by somebody" "$SCENE/home/wgd.log"
check "traffic flows" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
printf '[defaults]\ndns = "file"\n' >"$SCENE/home/wgd.toml"
kill -HUP "$WGD_PID"
wait_for 5 "the settings" bash -c '[ "$(grep -c "settings read again" "$1")" = 2 ]' - "$SCENE/home/wgd.log"
check "up as it was" wgctl home up home

heading "The link is deleted: on_link_lost = \"fail\""
on home ip link delete home
check "the tunnel is failed" wait_for 5 "failed" is_state home failed
check_shown "status tells it" wgctl home status home
check_says "  ... with the reason" "deleted by somebody else|datapath ended"
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"

heading "The link is deleted, the datapath is killed: on_link_lost = \"rebuild\""
printf '[tunnel.home]\ndns = "file"\non_link_lost = "rebuild"\n' >"$SCENE/home/wgd.toml"
check "up" wgctl home up home
check "a reload takes the setting along" wgctl home reload home
index() { wgctl home status --json home | jq '.tunnels[0] | if .state == "up" then .ifindex else 0 end'; }
is_another() { [ "$(index)" -gt "$1" ]; }
first=$(index)
on home ip link delete home
check "the link is deleted: there is another" wait_for 5 "another link" is_another "$first"
check "traffic flows" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
second=$(index)
if [ -n "$(pgrep --oldest --exact wgd-datapath)" ]; then
    kill -9 "$(pgrep --oldest --exact wgd-datapath)"
    check "the datapath is killed: there is another" wait_for 10 "another datapath" is_another "$second"
    check "traffic flows" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
fi
check "the log tells" grep -q "home: brought up again" "$SCENE/home/wgd.log"
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
finish
