#!/bin/bash
# SPDX-License-Identifier: MIT
# Several queues and threads in each direction (WGD_QUEUES), whatever the number of cores: everything arrives, flows stay
# in order, answers come back on the queue their flow was written to, and a persistent interface with one queue serves.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
command -v iperf3 >/dev/null || need "the program iperf3"
command -v nstat >/dev/null || need "the program nstat"

threads() { # KEEPER NAME
  local worker
  worker=$(tr -d ' ' <"/proc/$1/task/$1/children")
  cat /proc/"$worker"/task/*/comm | grep -c "^$2\$"
}
counter() { ip netns exec "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }

round() { # QUEUES_A QUEUES_B
  say "$1 queues at one end, $2 at the other"
  start "$A" "$WG_A" "$DATAPATH" "WGD_QUEUES=$1"
  local a=$STARTED
  start "$B" "$WG_B" "$DATAPATH" "WGD_QUEUES=$2"
  local b=$STARTED
  wait_for 10 eval "[ \$(threads $a transmit) = $1 ] && [ \$(threads $a receive) = $1 ]" || fail "not $1 threads each way"
  connect 4 no
  ping_ok "$A" 10.201.0.2
  transfer "$A" "$B" 10.201.0.2
  transfer "$B" "$A" fd00:201::1
  in_b iperf3 -s -1 >/dev/null 2>&1 &
  local server=$!
  PIDS+=("$server")
  wait_for 10 eval "in_b ss -Hltn sport = 5201 | grep -q 5201" || fail "no iperf3"
  local before after
  before=$(counter "$B" TcpExtTCPOFOQueue)
  in_a iperf3 -c 10.201.0.2 -t 2 -P 8 --bidir >"$RIG_DIR/iperf.log" 2>&1 || fail "iperf3: $(tail -n 3 "$RIG_DIR/iperf.log")"
  wait "$server" || true
  after=$(counter "$B" TcpExtTCPOFOQueue)
  # What is lost where a queue overflows makes the segments behind it arrive early too; disorder would do so all the time.
  local segments
  segments=$(ip netns exec "$B" nstat -asz TcpInSegs | awk '$1 == "TcpInSegs" { print $2 }')
  say "$((after - before)) of $segments segments came out of order"
  [ $((after - before)) -lt $((segments / 20 + 20)) ] || fail "$((after - before)) of $segments segments out of order"
  stop "$a"
  stop "$b"
}

round 4 4
round 3 1

say "a persistent interface that has one queue"
ip -n "$A" tuntap add dev "$WG_A" mode tun
ip -n "$A" link set "$WG_A" mtu 1420
status=0
ip netns exec "$A" env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=info WGD_QUEUES=4 "$DATAPATH" "$WG_A" >"$RIG_DIR/$WG_A.log" 2>&1 &
PIDS+=($!)
wait_for 15 wg show "$WG_A" || fail "it does not start on a persistent interface"
stop "${PIDS[-1]}"
ip -n "$A" link del "$WG_A" 2>/dev/null || true
for bad in 0 17 x; do
  if WGD_QUEUES=$bad in_a "$DATAPATH" "$WG_A" 2>/dev/null; then fail "WGD_QUEUES=$bad was accepted"; fi
done
say ok
