#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `exclude` in wgd.toml: what is excluded from a full tunnel goes out as if there was none, everything else goes
# inside; the tunnel's own DNS server stays inside although an excluded range holds it.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg jq tcpdump
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
# A second network of the provider's, and the private one that people call their LAN: behind a router, so that only
# its route and no link says where it is.
on provider ip address add 203.0.113.200/32 dev lo
on provider ip address add 192.168.44.1/32 dev lo
on provider ip address add fd44::1/128 dev lo nodad
on provider ip address add 10.64.0.1/32 dev lo
start_bus home
cat >"$SCENE/home/wgd.toml" <<EOT
[tunnel.home]
exclude = ["lan", "203.0.113.200"]
EOT
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed 's/^DNS.*/DNS = 10.64.0.1/' | write_profile home home
snapshot home "$SCENE/before"

# By which link, and from which address, home talks to somebody.
way_to() { on home ip -j route get "$1" | jq -r '.[0] | "\(.dev) \(.prefsrc)"'; }
check_way() { # DESTINATION EXPECTED
    check "$1 is reached by way of $2 (is: $(way_to "$1"))" test "$(way_to "$1")" = "$2"
}
# Packets to an address that the provider saw come in clear, of a ping from home.
in_clear() { # DESTINATION
    rm -f "$SCENE/provider/tcpdump.log"
    start provider tcpdump tcpdump -i eth0 -n -l --immediate-mode "(icmp or icmp6) and dst host $1"
    wait_for 10 "tcpdump" grep -q listening "$SCENE/provider/tcpdump.log"
    on home ping -n -c 2 -i 0.2 -W 5 "$1" >/dev/null || echo "no answer"
    stop "$STARTED" INT # it writes down what it has seen before it ends
    grep -c 'echo request' "$SCENE/provider/tcpdump.log"
}

heading "up"
check_shown "wgctl plan" wgctl home plan home
check_says "  ... has the exceptions" 'route add throw 192\.168\.0\.0/16 table 51820'
check "wgctl up home" wgctl home up home
check_way "$INTERNET_V4" "home $TUNNEL_V4"
check_way "$INTERNET_V6" "home $TUNNEL_V6"
check_way 192.168.44.1 "eth0 $HOME_V4"
check_way 203.0.113.200 "eth0 $HOME_V4"
check_way fd44::1 "eth0 $HOME_V6"
check_way 10.64.0.1 "home $TUNNEL_V4"
check "the rest of the provider's network goes inside" test "$(way_to 203.0.113.201 | cut -d' ' -f1)" = home
check "it is the policy routing of a full tunnel all the same" test \
    "$(on home ip -j -4 rule show | jq '[.[] | select(has("not"))] | length')" = 1

heading "packets"
check "what is excluded is answered" on home ping -n -c 2 -i 0.2 -W 5 192.168.44.1
check "  ... IPv6 too" on home ping -n -c 2 -i 0.2 -W 5 fd44::1
check "what is not is answered, inside" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "excluded traffic is seen in clear outside" test "$(in_clear 192.168.44.1)" = 2
check "  ... all other is not" test "$(in_clear "$INTERNET_V4")" = 0

heading "restart: the tunnel is taken over, exceptions and all"
stop "$WGD_PID"
start_wgd home
check_way 192.168.44.1 "eth0 $HOME_V4"
check_way "$INTERNET_V4" "home $TUNNEL_V4"

heading "down"
check "wgctl down home" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"

heading "the link is deleted by somebody else, then down"
check "wgctl up home" wgctl home up home
on home ip link delete home
check "wgctl down home" wait_for 10 "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
finish
