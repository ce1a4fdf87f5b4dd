#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The MTU of a tunnel is what the path to its peers leaves over, at up and afterwards: links and routes that change
# are followed, and a number in the profile is left alone. With mtu_probe also what no route knows: a narrow place on the way.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg jq nft python3
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
start_bus home
start_wgd home

profile() { # INTERFACE-LINE
    cat <<EOT
[Interface]
PrivateKey = $HOME_KEY
Address = 10.5.0.2/24
$1
[Peer]
PublicKey = $PEER_PUBLIC
Endpoint = $PEER_V4:$PEER_PORT
AllowedIPs = 10.5.0.0/24
EOT
}
mtu_is() { [ "$(on home cat "/sys/class/net/$1/mtu")" = "$2" ]; }
follows() { # DESCRIPTION MTU
    check "$1: $2" wait_for 20 "the MTU" mtu_is derived "$2"
}

profile "" | write_profile home derived
profile "MTU = 1390" | write_profile home given
check "up" wgctl home up derived
check "up, with an MTU in the profile" wgctl home up given
follows "Ethernet" 1420

on home ip link set eth0 mtu 1400
follows "a link with less" 1320
on home ip route add "$PEER_V4/32" via 192.0.2.1 mtu 1360
follows "a route to the peer with less" 1280
on home ip route del "$PEER_V4/32"
follows "without that route" 1320
on home ip link set derived mtu 1000
follows "somebody changes the tunnel's own" 1320
on home ip link set eth0 mtu 1500
follows "back to Ethernet" 1420
check "the profile's number stays" mtu_is given 1390
check "the log tells" grep -q 'derived.*MTU' "$SCENE/home/wgd.log"
check "down" wgctl home down derived
check "down" wgctl home down given

# ---- mtu_probe: a peer behind a router with a narrow link, which a route cannot know of

heading "mtu_probe"
stock_peer internet wgfar <<EOT
[Interface]
PrivateKey = $PEER_KEY
ListenPort = $PEER_PORT
[Peer]
PublicKey = $HOME_PUBLIC
AllowedIPs = 10.5.0.0/24, fd05::/64
EOT
on internet ip address add 10.5.0.1/24 dev wgfar
on internet ip address add fd05::1/64 dev wgfar nodad
far() { # ENDPOINT ALLOWED-IPS
    cat <<EOT
[Interface]
PrivateKey = $HOME_KEY
Address = 10.5.0.2/24, fd05::2/64
[Peer]
PublicKey = $PEER_PUBLIC
Endpoint = $1:$PEER_PORT
AllowedIPs = $2
EOT
}
far "$INTERNET_V4" "10.5.0.0/24, fd05::/64" | write_profile home far4
far "[$INTERNET_V6]" "10.5.0.0/24, fd05::/64" | write_profile home far6
far "$INTERNET_V4" "0.0.0.0/0, ::/0" | write_profile home full4
far "[$INTERNET_V6]" "0.0.0.0/0, ::/0" | write_profile home full6
far "$INTERNET_V4" "10.5.0.0/24, fd05::/64" | write_profile home blind
narrow() { # MTU
    on provider ip link set eth1 mtu "$1"
    on internet ip link set eth0 mtu "$1"
    # What routers said is remembered for ten minutes.
    on home bash -c 'ip route flush cache; ip -6 route flush cache'
}
cat >"$SCENE/home/wgd.toml" <<EOT
[defaults]
mtu_probe = true
[tunnel.full4]
kill_switch = true
[tunnel.full6]
kill_switch = true
[tunnel.blind]
mtu_probe = false
EOT
stop "$WGD_PID"
start_wgd home
narrow 1400
mtu_of() { on home cat "/sys/class/net/$1/mtu"; }
mtu_between() { # TUNNEL LEAST MOST
    local mtu
    mtu=$(mtu_of "$1" 2>/dev/null) && [ "$mtu" -ge "$2" ] && [ "$mtu" -le "$3" ]
}
measured() { # TUNNEL LEAST MOST DESCRIPTION
    check "$4: $2 to $3" wait_for 30 "the MTU" mtu_between "$1" "$2" "$3"
    say "is $(mtu_of "$1")"
}
# As many bytes as the tunnel takes at once, and how many packets came in pieces on the last link.
in_pieces() { # TUNNEL
    local size log=$SCENE/internet/tcpdump.log
    size=$(($(mtu_of "$1") - 28))
    rm -f "$log"
    start internet tcpdump tcpdump -i eth0 -n -l --immediate-mode "dst host $INTERNET_V4 and (ip[6:2] & 0x3fff) != 0"
    wait_for 10 "tcpdump" grep -q listening "$log"
    on home ping -q -n -c 3 -i 0.2 -W 5 -s "$size" 10.5.0.1 >/dev/null || echo "no answer"
    stop "$STARTED" INT
    grep -c 'IP ' "$log"
}

on home bash -c 'echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
check "up, not measuring" wgctl home up blind
check "the MTU is the link's" mtu_is blind 1420
check "  ... and full packets are cut on their way" test "$(in_pieces blind)" -gt 0
check "down" wgctl home down blind

check "up, IPv4, a router says what fits" wgctl home up far4
measured far4 1320 1320 "measured"
check "  ... and nothing is cut" test "$(in_pieces far4)" = 0
check_shown "wgctl status" wgctl home status far4
check_says "  ... tells" 'mtu 1320 \(path 1400, measured\)'
check "  ... the bus as well" test "$(on home busctl --system get-property org.wgd1 /org/wgd1/tunnel/far4 org.wgd1.Tunnel PathMtu)" = "u 1400"
stop "$WGD_PID" KILL
start_wgd home
check "a new wgd keeps it" mtu_is far4 1320
narrow 1360
on home ip link set eth0 mtu 1499 # the way there changes
measured far4 1280 1280 "measured again when the way changes"
narrow 1500
on home ip link set eth0 mtu 1500
measured far4 1420 1420 "and wider"
check "down" wgctl home down far4

narrow 1400
check "up, IPv6" wgctl home up far6
measured far6 1320 1320 "measured"
check "down" wgctl home down far6
for tunnel in full4 full6; do
    check "up, a full tunnel with a kill switch, $tunnel" wgctl home up $tunnel
    measured $tunnel 1320 1320 "measured, with a strict reverse path filter"
    check "  ... nobody else's echo requests get there" bash -c \
        '! nsenter --target "$0" --net ping -n -c 2 -i 0.2 -W 1 -I eth0 "$1"' "${MACHINE_PID[home]}" "$INTERNET_V4"
    check "down" wgctl home down $tunnel
done

heading "mtu_probe: routers say nothing"
on provider nft -f - <<'EOT'
table inet silent {
    chain output {
        type filter hook output priority filter;
        icmp type destination-unreachable drop
        icmpv6 type packet-too-big drop
    }
}
EOT
check "up, IPv4" wgctl home up far4
check "up, IPv6" wgctl home up far6
measured far4 1313 1320 "found by halving"
measured far6 1313 1320 "found by halving"
check "down" wgctl home down far4
check "down" wgctl home down far6
on internet nft -f - <<'EOT'
table inet deaf {
    chain input {
        type filter hook input priority filter;
        icmp type echo-request drop
        icmpv6 type echo-request drop
    }
}
EOT
narrow 1400
check "up, and the far end answers nothing either" wgctl home up far4
says_so() { wgctl home status far4 | grep 'answers no echo request' >/dev/null; }
check "status says so" wait_for 20 "the warning" says_so
check "  ... and the MTU is the link's" mtu_is far4 1420
check "down" wgctl home down far4
finish
