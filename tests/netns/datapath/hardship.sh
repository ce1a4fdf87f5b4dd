#!/bin/bash
# SPDX-License-Identifier: MIT
# What befalls a process on a real machine: stopped and continued, its interface flapping, a network that has no buffers,
# no descriptors left, clients that say nothing. It goes on, and it leaks neither descriptors nor memory.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"

start "$A" "$WG_A" "$DATAPATH"
other=$STARTED
start "$B" "$WG_B" "$DATAPATH"
keeper=$STARTED
worker=$(tr -d ' ' <"/proc/$keeper/task/$keeper/children")
connect 4 no
ping_ok "$A" 10.201.0.2
descriptors() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
before=$(descriptors "$worker")
keeper_before=$(descriptors "$keeper")

say "stopped and continued in the middle of a transfer"
ip netns exec "$A" ping -n -q -i 0.002 -c 500 -W 2 10.201.0.2 >"$RIG_DIR/ping.log" 2>&1 &
ping=$!
for _ in 1 2 3; do
  kill -STOP "$worker"
  wait_for 5 grep -q '^State:.T' "/proc/$worker/status" || fail "it does not stop"
  kill -CONT "$worker"
  sleep 0.1 # time to work, which offers no event
done
wait "$ping" || fail "no answers at all while it was stopped and continued"
ping_ok "$A" 10.201.0.2

say "the interface flaps"
for _ in $(seq 50); do
  ip -n "$B" link set "$WG_B" down
  ip -n "$B" link set "$WG_B" up
done
ip -n "$B" address replace fd00:201::2/64 dev "$WG_B" nodad # going down takes it away
# Going down forgets sessions (WG 6); who has the old one yet would notice after 15 s, who has none starts at once.
wait_for 15 in_b ping -n -q -c 1 -W 1 10.201.0.1 || fail "no way out after flapping"
wait_for 15 in_a ping -n -q -c 1 -W 1 10.201.0.2 || fail "no answer after flapping"
for _ in $(seq 20); do
  ip -n "$B" link set under down
  ip -n "$B" link set under up
done
ip -n "$B" address replace fd00:200::2/64 dev under nodad
wait_for 15 in_a ping -n -q -c 1 -W 1 10.201.0.2 || fail "no answer after the network below flapped"

say "no buffers: a queue of two packets below, and a shaper that fills it (ENOBUFS, drops)"
if in_b tc qdisc add dev under root tbf rate 20mbit burst 5kb limit 3kb 2>"$RIG_DIR/tc.log"; then
  in_b timeout 20 socat -u -b 1200 "OPEN:$RIG_DIR/data" UDP4:10.201.0.1:7009 2>/dev/null || true
  in_b tc qdisc del dev under root
  ping_ok "$A" 10.201.0.2
  transfer "$B" "$A" 10.201.0.1
else
  say "no tbf in this kernel: left out"
fi

say "a thousand rounds of configuration"
rounds() { # COUNT: a peer comes, changes and goes; keys, marks and ports change too
  awk -v count="$1" 'BEGIN {
    for (i = 0; i < count; i++) {
      printf "set=1\npublic_key=%064x\nendpoint=10.200.0.1:%d\npreshared_key=%064x\nreplace_allowed_ips=true\nallowed_ip=10.9.%d.0/24\n\n", i % 7 + 1, i % 1000 + 1, i, i % 256
      if (i % 2) printf "set=1\npublic_key=%064x\nremove=true\n\n", i % 7 + 1
      if (i % 50 == 0) printf "set=1\nfwmark=%d\nlisten_port=%d\n\n", i, 52000 + i % 100
      if (i % 10 == 0) printf "get=1\n\n"
    }
  }' | socat -t 20 - "UNIX-CONNECT:$SOCKETS/$WG_B.sock" >"$RIG_DIR/replies"
  ! grep -q '^errno=-' "$RIG_DIR/replies" || fail "a round failed: $(grep -m1 '^errno=-' "$RIG_DIR/replies")"
  [ "$(grep -c '^errno=0' "$RIG_DIR/replies")" -ge "$1" ] || fail "not every round was answered"
}
rounds 200
memory=$(resident "$worker")
rounds 1000
grown=$(($(resident "$worker") - memory))
most=1024
case $(ldd "$DATAPATH") in *lib[at]san*) most=65536 ;; esac # a sanitizer keeps what was freed for a while
[ "$grown" -lt "$most" ] || fail "a thousand rounds of configuration took $grown KiB"
settled() { [ "$(descriptors "$worker")" -le "$before" ] && [ "$(descriptors "$keeper")" -le "$keeper_before" ]; }
wait_for 10 settled || fail "descriptors: $(descriptors "$worker") and $(descriptors "$keeper"), not $before and $keeper_before"
wg set "$WG_A" peer "$PUB_B" endpoint "10.200.0.2:$(wg show "$WG_B" listen-port)"
ping_ok "$A" 10.201.0.2
kill -0 "$keeper" || fail "it ended"

say "no descriptors left, all taken by clients that say nothing: the tunnel goes on, nobody spins, others are served"
most=$(find "/proc/$worker/fd" -mindepth 1 -printf '%f\n' | sort -n | awk '$1 < 200' | tail -n 1) # a shell's own, inherited, are above
stop "$keeper"
stop "$other"
wait_for 10 eval "! ip -n $B link show $WG_B && ! ip -n $A link show $WG_A" || fail "an interface stays"

say "the disk behind its log is full: every word it says fails"
printf '#!/bin/bash\nexec "%s" "$@" >/dev/full 2>&1\n' "$DATAPATH" >"$RIG_DIR/mute"
chmod +x "$RIG_DIR/mute"
start "$A" "$WG_A" "$DATAPATH"
other=$STARTED
start "$B" "$WG_B" "$RIG_DIR/mute" LOG_LEVEL=verbose
connect 4 no
ping_ok "$A" 10.201.0.2
# Not by in_b, whose shell would be what is ended.
ip netns exec "$B" socat -u UDP4-RECV:51999 /dev/null >/dev/null 2>&1 & # its port is refused: an error in the log
PIDS+=($!)
wait_for 5 eval "grep -q 51999 <(in_b ss -Hlun sport = 51999)" || fail "no socat"
if wg set "$WG_B" listen-port 51999 2>/dev/null; then fail "a taken port was accepted"; fi
ping_ok "$A" 10.201.0.2
transfer "$A" "$B" 10.201.0.2
stop "$STARTED"
stop "$other"
wait_for 10 eval "! ip -n $B link show $WG_B && ! ip -n $A link show $WG_A" || fail "an interface stays"
printf '#!/bin/bash\nulimit -n %s\nexec "%s" "$@"\n' $((most + 5)) "$DATAPATH" >"$RIG_DIR/few"
chmod +x "$RIG_DIR/few"
start "$A" "$WG_A" "$DATAPATH"
start "$B" "$WG_B" "$RIG_DIR/few"
keeper=$STARTED
worker=$(tr -d ' ' <"/proc/$keeper/task/$keeper/children")
connect 4 no
ping_ok "$A" 10.201.0.2
clients=()
for _ in $(seq 40); do
  socat -u "UNIX-CONNECT:$SOCKETS/$WG_B.sock" /dev/null 2>/dev/null &
  clients+=($!)
  PIDS+=($!)
done
exhausted() { [ "$(find "/proc/$worker/fd" -mindepth 1 -printf '%f\n' | awk -v most="$most" '$1 < most + 5' | wc -l)" -ge $((most + 3)) ]; }
wait_for 10 exhausted || fail "it has descriptors left: $(descriptors "$worker") of $((most + 5))"
ping_ok "$A" 10.201.0.2
# What cannot be accepted must not keep it busy: each look, twenty in a row, finds all of its threads asleep.
rests() {
  for _ in {1..20}; do
    awk '$3 != "S" { busy = 1 } END { exit busy }' "/proc/$worker/task/"*/stat || return 1
  done
}
wait_for 20 rests || fail "it spins"
wg show "$WG_B" >/dev/null || fail "silent clients keep everyone else out"
wg set "$WG_B" listen-port 51922 2>/dev/null || true # needs two descriptors, for which there may be no room
ping_ok "$B" 10.201.0.1
for pid in "${clients[@]}"; do kill "$pid" 2>/dev/null || true; done
wait_for 10 wg set "$WG_B" listen-port 51922 || fail "no new port after the clients left"
ping_ok "$B" 10.201.0.1
transfer "$B" "$A" 10.201.0.1
say ok
