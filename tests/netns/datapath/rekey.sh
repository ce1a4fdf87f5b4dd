#!/bin/bash
# SPDX-License-Identifier: MIT
# Renewals under load, in real time: for 260 seconds two TCP streams run through two tunnels, one whose initiator is
# wgd-datapath and one whose initiator is wireguard-go. Each session is renewed twice meanwhile; not a second may pass
# without data. Not one of ctest's, for its length; by hand:
#   WGD_SOURCE=$PWD WGD_BUILD=$PWD/build/release tests/netns/datapath/rekey.sh
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
GO=${WGD_TEST_WIREGUARD_GO:-wireguard-go}
for program in "$GO" iperf3 jq; do command -v "$program" >/dev/null || need "the program $program"; done
SECONDS_LONG=260

tunnel() { # NUMBER PROGRAM_A PROGRAM_B
  local n=$1 a=${RIG}p$1 b=${RIG}q$1 key_a key_b
  key_a=$(wg genkey) key_b=$(wg genkey)
  start "$A" "$a" "$2"
  start "$B" "$b" "$3"
  wg set "$a" private-key /dev/stdin peer "$(wg pubkey <<<"$key_b")" endpoint "10.200.0.2:5190$n" allowed-ips "10.20$n.0.2/32" <<<"$key_a"
  wg set "$b" listen-port "5190$n" private-key /dev/stdin peer "$(wg pubkey <<<"$key_a")" allowed-ips "10.20$n.0.1/32" <<<"$key_b"
  ip -n "$A" address add "10.20$n.0.1/24" dev "$a"
  ip -n "$B" address add "10.20$n.0.2/24" dev "$b"
  ip -n "$A" link set "$a" up
  ip -n "$B" link set "$b" up
  ping_ok "$A" "10.20$n.0.2"
  ip netns exec "$B" iperf3 -s -1 -p "520$n" >/dev/null 2>&1 &
  PIDS+=($!)
  wait_for 10 eval "grep -q 520$n <(in_b ss -Hltn sport = 520$n)" || fail "no iperf3"
}
tunnel 3 "$DATAPATH" "$GO"
tunnel 4 "$GO" "$DATAPATH"
begun=$(date +%s)
for n in 3 4; do
  ip netns exec "$A" iperf3 -c "10.20$n.0.2" -p "520$n" -b 100M -t "$SECONDS_LONG" -i 1 -J >"$RIG_DIR/$n.json" &
  PIDS+=($!)
done
for pid in "${PIDS[@]: -2}"; do wait "$pid" || fail "a stream broke"; done
for n in 3 4; do
  latest=$(wg show "${RIG}p$n" latest-handshakes | cut -f2)
  [ $((latest - begun)) -gt 200 ] || fail "tunnel $n: the latest handshake came $((latest - begun)) s after the beginning"
  least=$(jq '[.intervals[].sum.bits_per_second] | min / 1e6 | floor' "$RIG_DIR/$n.json")
  say "tunnel $n: renewed, $least Mbit/s in its worst second, $(jq .end.sum_sent.retransmits "$RIG_DIR/$n.json") segments sent again"
  [ "$least" -gt 0 ] || fail "tunnel $n: a second without data"
done
say ok
