#!/bin/bash
# SPDX-License-Identifier: MIT
# Several queues, sockets and threads in each direction (WGD_QUEUES), whatever the number of cores: everything arrives,
# flows stay in order, answers come back on the queue their flow was written to, senders are spread over the sockets,
# nobody else gets the port, and a persistent interface with one queue serves.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
command -v iperf3 >/dev/null || need "the program iperf3"
command -v nstat >/dev/null || need "the program nstat"

threads() { # KEEPER NAME
  local worker
  worker=$(tr -d ' ' <"/proc/$1/task/$1/children")
  cat /proc/"$worker"/task/*/comm | grep -c "^$2\$"
}
# What TCP found at its sending ends to have come in another order than it was sent; what was lost, where a queue
# overflowed, is not in that.
order() {
  local ns
  for ns in "$A" "$B"; do ip netns exec "$ns" nstat -asz TcpInSegs 'TcpExtTCP*Reorder'; done |
    awk '/Reorder/ { early += $2 } /TcpInSegs/ { all += $2 } END { print early, all }'
}
in_order() { # BEFORE, as order() said
  local before now early segments
  read -ra before <<<"$1"
  read -ra now <<<"$(order)"
  early=$((now[0] - before[0])) segments=$((now[1] - before[1]))
  say "$early times another order in $segments segments"
  [ "$segments" -gt 500 ] || fail "only $segments segments"
  [ "$early" -lt $((segments / 500 + 3)) ] || fail "$early of $segments segments out of order"
}

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
  ip netns exec "$B" iperf3 -s -1 >/dev/null 2>&1 &
  local server=$!
  PIDS+=("$server")
  wait_for 10 eval "grep -q 5201 <(in_b ss -Hltn sport = 5201)" || fail "no iperf3"
  local before
  before=$(order)
  in_a iperf3 -c 10.201.0.2 -t 2 -P 8 --bidir >"$RIG_DIR/iperf.log" 2>&1 || fail "iperf3: $(tail -n 3 "$RIG_DIR/iperf.log")"
  wait "$server" || true
  in_order "$before"
  stop "$a"
  stop "$b"
}

round 4 4
round 3 1

say "four sockets of each family: every one is read, by a thread of its own"
start "$B" "$WG_B" "$DATAPATH" WGD_QUEUES=4
hub=$STARTED
worker=$(tr -d ' ' <"/proc/$hub/task/$hub/children")
wg set "$WG_B" listen-port 51822 private-key /dev/stdin <<<"$KEY_B"
ip -n "$B" link set "$WG_B" up
sockets() { in_b ss -Huane "sport = :$1" 2>/dev/null; } # it misses a mount on the other descriptor
have() { [ "$(sockets "$1" | wc -l)" = "$2" ]; }
wait_for 10 have 51822 8 || fail "not four sockets of each family: $(sockets 51822)"
kill -STOP "$worker"
wait_for 5 grep -q '^State:.T' "/proc/$worker/status" || fail "it does not stop"
for address in 10.200.0.2 fd00:200::2; do # from 64 ports each
  in_a bash -c "for _ in {1..64}; do echo x >/dev/udp/$address/51822; done"
done
all_wait() { sockets 51822 | awk '$2 == 0 { none = 1 } END { exit none }'; }
wait_for 5 all_wait || fail "a socket got nothing: $(sockets 51822)"
kill -CONT "$worker"
none_waits() { sockets 51822 | awk '$2 > 0 { some = 1 } END { exit some }'; }
wait_for 5 none_waits || fail "a socket is not read: $(sockets 51822)"

say "nobody else gets the port, however many sockets it has"
start "$B" "${RIG}c" "$DATAPATH" WGD_QUEUES=4
if wg set "${RIG}c" listen-port 51822 2>/dev/null; then fail "two tunnels on one port"; fi
stop "$STARTED"

say "four peers at once: all arrives, in order, and after a new port and mark again"
clients=()
for i in 1 2 3 4; do
  key=$(wg genkey)
  start "$A" "${RIG}p$i" "$DATAPATH" WGD_QUEUES=1
  clients+=("$STARTED")
  wg set "${RIG}p$i" private-key /dev/stdin peer "$PUB_B" endpoint 10.200.0.2:51822 allowed-ips "10.203.$i.2/32" <<<"$key"
  wg set "$WG_B" peer "$(wg pubkey <<<"$key")" allowed-ips "10.203.$i.1/32"
  ip -n "$A" address add "10.203.$i.1/24" dev "${RIG}p$i"
  ip -n "$A" link set "${RIG}p$i" up
  ip -n "$B" address add "10.203.$i.2/24" dev "$WG_B"
done
all_at_once() {
  local i servers=() streams=() before
  for i in 1 2 3 4; do
    ip netns exec "$B" iperf3 -s -1 -p "520$i" >/dev/null 2>&1 &
    servers+=($!)
    PIDS+=($!)
  done
  wait_for 10 eval "[ \$(in_b ss -Hltn '( sport >= 5201 and sport <= 5204 )' | wc -l) = 4 ]" || fail "no iperf3"
  before=$(order)
  for i in 1 2 3 4; do
    ip netns exec "$A" iperf3 -c "10.203.$i.2" -p "520$i" -t 1 -P 2 >"$RIG_DIR/iperf$i.log" 2>&1 &
    streams+=($!)
  done
  for i in 1 2 3 4; do
    wait "${streams[i - 1]}" || fail "iperf3: $(tail -n 3 "$RIG_DIR/iperf$i.log")"
    wait "${servers[i - 1]}" || true
  done
  in_order "$before"
}
all_at_once
wg set "$WG_B" fwmark 77 listen-port 51830
wait_for 5 have 51822 0 || fail "the old port is still taken: $(sockets 51822)"
have 51830 8 || fail "not eight sockets on the new port: $(sockets 51830)"
marked() { [ "$(sockets 51830 | grep -c "fwmark:$1")" = 8 ]; }
marked 0x4d || fail "not all have the mark: $(sockets 51830)"
wg set "$WG_B" fwmark 78
marked 0x4e || fail "not all have the new mark: $(sockets 51830)"
for i in 1 2 3 4; do in_b ping -q -n -c 1 -W 5 "10.203.$i.1" >/dev/null || fail "peer $i is not reached from the new port"; done
ip -n "$B" link set "$WG_B" down
wait_for 5 have 51830 0 || fail "sockets while the interface is down: $(sockets 51830)"
ip -n "$B" link set "$WG_B" up
wait_for 5 have 51830 8 || fail "not all sockets came back: $(sockets 51830)"
for i in 1 2 3 4; do stop "${clients[i - 1]}"; done
stop "$hub"
wait_for 10 eval "! ip -n $B link show $WG_B" || fail "an interface stays"

say "a persistent interface that has one queue"
ip -n "$A" tuntap add dev "$WG_A" mode tun
ip -n "$A" link set "$WG_A" mtu 1420
ip netns exec "$A" env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=info WGD_QUEUES=4 "$DATAPATH" "$WG_A" >"$RIG_DIR/$WG_A.log" 2>&1 &
PIDS+=($!)
wait_for 15 wg show "$WG_A" || fail "it does not start on a persistent interface"
stop "${PIDS[-1]}"
ip -n "$A" link del "$WG_A" 2>/dev/null || true
for bad in 0 17 x; do
  if WGD_QUEUES=$bad in_a "$DATAPATH" "$WG_A" 2>/dev/null; then fail "WGD_QUEUES=$bad was accepted"; fi
done
say ok
