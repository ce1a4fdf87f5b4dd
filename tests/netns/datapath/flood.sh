#!/bin/bash
# SPDX-License-Identifier: MIT
# Under a flood of forged initiations from 100,000 addresses a session goes on and a new honest peer gets in, by way of a
# cookie; random and truncated datagrams do nothing. bench/flood measures what it costs.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
FLOOD=$WGD_BUILD/tests/datapath_flood
[ -x "$FLOOD" ] || need "$FLOOD (build it first)"
for program in nstat nft; do command -v "$program" >/dev/null || need "the program $program"; done

# B answers to wherever a datagram claims to come from; A, which sends them all, swallows the answers.
in_b sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.under.rp_filter=0
ip -n "$B" route add 10.64.0.0/10 via 10.200.0.1 dev under
# The newcomer sits in A's namespace too, under another name. Cookie replies (64 bytes: type 3) to it are counted.
in_a nft -f - <<'NFT'
table inet t {
  counter cookies { }
  chain c {
    type filter hook input priority 0
    udp dport 51823 @th,64,8 0x03 counter name "cookies"
    ip daddr 10.64.0.0/10 drop
  }
}
NFT
KEY_C=$(wg genkey)
PUB_C=$(wg pubkey <<<"$KEY_C")
WG_C=${RIG}c

start "$A" "$WG_A" "$DATAPATH"
start "$A" "$WG_C" "$DATAPATH"
start "$B" "$WG_B" "$DATAPATH"
b=$STARTED
connect 4 no
wg set "$WG_B" peer "$PUB_C" allowed-ips 10.201.0.3/32
wg set "$WG_C" listen-port 51823 private-key /dev/stdin peer "$PUB_B" endpoint 10.200.0.2:51822 allowed-ips 10.202.0.2/32 <<<"$KEY_C"
ip -n "$B" address add 10.202.0.2/32 dev "$WG_B"
ip -n "$A" address add 10.201.0.3/32 dev "$WG_C"
ip -n "$A" link set "$WG_C" up
ip -n "$A" route add 10.202.0.2/32 dev "$WG_C" src 10.201.0.3
ping_ok "$A" 10.201.0.2
handshake=$(wg show "$WG_B" latest-handshakes | awk -v k="$PUB_A" '$1 == k { print $2 }')

say "a flood of forged initiations"
rate=20000
case $(ldd "$DATAPATH") in *lib[at]san*) rate=2000 ;; esac # a tenth of the speed, and what overflows the socket reaches nobody
# Until it is stopped: so not by in_a, whose shell would be what is killed.
ip netns exec "$A" "$FLOOD" initiations 10.200.0.2 51822 "$PUB_B" "$rate" 120 100000 >/dev/null &
flood=$!
PIDS+=("$flood")
received() { in_b nstat -asz UdpInDatagrams | awk '$1 == "UdpInDatagrams" { print $2 }'; }
before=$(received)
flooded() { [ $(($(received) - before)) -gt 5000 ]; }
wait_for 10 flooded || fail "the flood does not arrive"

transfer "$A" "$B" 10.201.0.2
transfer "$B" "$A" 10.201.0.1
[ "$(wg show "$WG_B" latest-handshakes | awk -v k="$PUB_A" '$1 == k { print $2 }')" = "$handshake" ] ||
  fail "the session had to be renewed"

say "a newcomer gets in"
in_a ping -n -q -c 1 -W 1 10.202.0.2 >/dev/null 2>&1 || true # asks for the session
got_in() { [ "$(wg show "$WG_C" latest-handshakes | cut -f2)" != 0 ]; }
kill -0 "$flood" || fail "the flood was over before the newcomer came"
wait_for 30 got_in || fail "no handshake under the flood"
in_a ping -n -q -c 5 -i 0.2 -W 5 10.202.0.2 >"$RIG_DIR/ping.log" 2>&1 || fail "no answer to the newcomer"
grep -q 'packets [1-9]' <(in_a nft list counter inet t cookies) || fail "it got in without a cookie: the device was not under load"
from_all() { [ $(($(received) - before)) -ge 100000 ]; }
wait_for 20 from_all || say "only $(($(received) - before)) forged initiations: this machine is slow"
kill "$flood" || fail "the flood failed"

say "random and truncated datagrams"
before=$(received)
in_a "$FLOOD" garbage 10.200.0.2 51822 "$PUB_B" 50000 2 >"$RIG_DIR/sent"
flooded || fail "the garbage does not arrive"
ping_ok "$A" 10.201.0.2
transfer "$A" "$B" 10.201.0.2
[ "$(wg show "$WG_B" endpoints | awk -v k="$PUB_A" '$1 == k { print $2 }')" = 10.200.0.1:51821 ] || fail "the endpoint moved"
kill -0 "$b" || fail "it ended"
say ok
