#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same profiles through stock wg-quick + wireguard-go and through wgd, on two machines that are alike; then the
# two are compared: addresses, routes, rules, MTU, device. Where the two differ on purpose, profiles/NAME.differs
# holds the difference with its reason; a difference that is not in it fails, and so does one that is gone.
#
# The keys in profiles/ were made for this test and are used nowhere.
# Not compared: who made a route or rule (wgd marks its own), the random port when none is given, DNS and nftables
# (later issues), the link's kind and alias.
here=$(dirname "${BASH_SOURCE[0]}")
WGD_SOURCE=${WGD_SOURCE:-$(cd "$here/../.." && pwd)}
. "$here/scene.sh"
. "$here/world.sh"

need_tools wg wg-quick wireguard-go jq diff
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

# A machine with a way out, and a second way of smaller MTU.
make_machine() { # NAME NEIGHBOUR-LINK
    machine "$1"
    cable "$1" eth0 neighbour "$2"
    on "$1" bash -euc "
        ip address add $HOME_V4/24 dev eth0
        ip address add $HOME_V6/64 dev eth0 nodad
        ip route add default via 192.0.2.1
        ip route add default via 2001:db8:1::1
        ip route add 203.0.113.77/32 via 192.0.2.1 mtu 1300"
}

# The state of a tunnel as sorted text, without what is not compared.
tunnel_state() { # MACHINE LINK PROFILE-FILE
    on "$1" ip -j link show dev "$2" | jq -r '.[0] | "link mtu \(.mtu) \(if .flags | index("UP") then "up" else "down" end)"'
    on "$1" ip -j address show dev "$2" |
        jq -r '.[0].addr_info[] | select(.scope != "link") | "address \(.local)/\(.prefixlen)"'
    local family
    for family in 4 6; do
        on "$1" ip -j -$family route show table all dev "$2" | jq -r --arg f $family '
            .[] | select((.type // "unicast") | IN("local", "broadcast", "multicast", "anycast") | not)
            | select((.dst | startswith("fe80:")) or (.dst | startswith("ff00:")) | not)
            | "route\($f) \(.dst) table \(.table // "main") metric \(.metric // 0) scope \(.scope // "global") src \(.prefsrc // "-")"' |
            sort
        on "$1" ip -j -$family rule show | jq -r --arg f $family '
            .[] | select(.priority != 0 and .priority < 32766)
            | "rule\($f) \(if has("not") then "not " else "" end)fwmark \(.fwmark // "-") table \(.table) suppress \(.suppress_prefixlen // "-")"'
    done
    on "$1" cat /proc/sys/net/ipv4/conf/all/src_valid_mark | sed 's/^/src_valid_mark /'
    # Device: private, public, port, mark. Peers: public, preshared, endpoint, allowed IPs, keepalive; not counters.
    on "$1" wg show "$2" dump | awk -v port="$(grep -ci '^[[:space:]]*listenport' "$3")" '
        NR == 1 { print "device", $1, $2, "port", (port ? $3 : "any"), "mark", $4; next }
        { n = split($4, ips, ","); for (i = 1; i <= n; i++) print "allowed", $1, ips[i]
          print "peer", $1, $2, $3, "keepalive", $8 }' | sort
}

heading "Two machines that are alike"
machine neighbour
make_machine stock s0
make_machine ours s1
mkdir -p "$SCENE/bin"
printf '#!/bin/sh\ncat >/dev/null\n' >"$SCENE/bin/resolvconf" # wg-quick wants one for DNS=
chmod +x "$SCENE/bin/resolvconf"
start_bus ours
start_wgd ours
snapshot ours "$SCENE/before"

for file in "$here"/profiles/*.conf; do
    name=$(basename "$file" .conf)
    heading "$name: $(sed -n '1s/^# //p' "$file" | tr -d '\r')"
    write_profile stock "$name" <"$file"
    write_profile ours "$name" <"$file"
    snapshot ours "$SCENE/before"
    if ! on stock env PATH="$SCENE/bin:$PATH" wg-quick up "$name" >"$SCENE/stock.log" 2>&1; then
        fail "wg-quick up $name" "$SCENE/stock.log"
        continue
    fi
    check "wgctl up $name" wgctl ours up "$name"
    tunnel_state stock "$name" "$file" >"$SCENE/expected"
    tunnel_state ours "$name" "$file" >"$SCENE/actual"
    diff "$SCENE/expected" "$SCENE/actual" | grep '^[<>]' >"$SCENE/differs"
    grep -v '^#' "$here/profiles/$name.differs" 2>/dev/null >"$SCENE/justified"
    if [ -s "$SCENE/justified" ]; then
        sed -n 's/^# //p' "$here/profiles/$name.differs" | quote
    fi
    check_same "equal to wg-quick ($(wc -l <"$SCENE/expected") facts), but for $(wc -l <"$SCENE/justified") justified differences" \
        "$SCENE/justified" "$SCENE/differs"
    on stock env PATH="$SCENE/bin:$PATH" wg-quick down "$name" >"$SCENE/stock.log" 2>&1 || fail "wg-quick down $name" "$SCENE/stock.log"
    on stock sysctl -q net.ipv4.conf.all.src_valid_mark=0 # wg-quick leaves it
    check "wgctl down $name" wgctl ours down "$name"
    snapshot ours "$SCENE/after"
    check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
done
finish
