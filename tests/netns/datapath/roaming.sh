#!/bin/bash
# SPDX-License-Identifier: MIT
# Endpoints follow authenticated packets: another port, another address, another family; replies leave from the address
# that was spoken to, and when our own address goes away the kernel chooses another.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"

ip -n "$A" address add 10.200.0.11/24 dev under
ip -n "$B" address add 10.200.0.12/24 dev under
start "$A" "$WG_A" "$DATAPATH"
start "$B" "$WG_B" "$DATAPATH"
connect 4 no
ping_ok "$A" 10.201.0.2

endpoint_is() { [ "$(wg show "$1" endpoints | cut -f2)" = "$2" ]; }
expect_endpoint() { endpoint_is "$1" "$2" || fail "$1: endpoint is $(wg show "$1" endpoints | cut -f2), not $2"; }
expect_endpoint "$WG_B" 10.200.0.1:51821

say "a lone packet that no peer's allowed IPs match, or whose peer has no endpoint yet, is answered"
unreachable() { # ADDRESS WORDS
  if in_a ping -n -c 1 -W 5 "$1" >"$RIG_DIR/ping.log" 2>&1; then fail "an answer from $1"; fi
  grep -q "$2" "$RIG_DIR/ping.log" || fail "$1: $(cat "$RIG_DIR/ping.log")"
}
ip -n "$A" route add fd00:202::/64 dev "$WG_A"
unreachable 10.201.0.77 'icmp_seq=1 Destination Host Unreachable'
unreachable fd00:202::77 'Destination unreachable: Address unreachable'
mute=$(wg genkey | wg pubkey)
wg set "$WG_A" peer "$mute" allowed-ips 10.201.0.78/32
unreachable 10.201.0.78 'icmp_seq=1 Destination Host Unreachable'
wg set "$WG_A" peer "$mute" remove

say "the peer changes its port"
wg set "$WG_A" listen-port 51831
ping_ok "$A" 10.201.0.2
expect_endpoint "$WG_B" 10.200.0.1:51831

say "the peer changes its family"
wg set "$WG_A" peer "$PUB_B" endpoint '[fd00:200::2]:51822'
ping_ok "$A" 10.201.0.2
expect_endpoint "$WG_B" '[fd00:200::1]:51831'

say "spoken to on its second address, it answers from that one"
wg set "$WG_A" peer "$PUB_B" endpoint 10.200.0.12:51822
ping_ok "$A" 10.201.0.2
expect_endpoint "$WG_A" 10.200.0.12:51822

say "that address goes away: traffic goes on from another, and the other side learns it"
ip -n "$B" address del 10.200.0.12/24 dev under
ping_ok "$B" 10.201.0.1
expect_endpoint "$WG_A" 10.200.0.2:51822

say "an address of the initiator goes away"
ip -n "$A" address del 10.200.0.1/24 dev under
ip -n "$A" address replace 10.200.0.11/24 dev under # deleting the first address takes its secondaries along
ping_ok "$A" 10.201.0.2
expect_endpoint "$WG_B" 10.200.0.11:51831

say "a link-local path"
linklocal=$(ip -n "$B" -6 -o address show dev under scope link | awk 'NR == 1 {sub("/.*", "", $4); print $4}')
wait_for 10 eval "! grep -q fe80 <(ip -n $A -6 address show dev under tentative)" || fail "link-local address stays tentative"
in_a wg set "$WG_A" peer "$PUB_B" endpoint "[$linklocal%under]:51822"
ping_ok "$A" 10.201.0.2
ping_ok "$B" fd00:201::1
say ok
