#!/bin/bash
# SPDX-License-Identifier: MIT
# The cage holds: a process inside it tries to open, connect, exec, fork, ptrace and more, and each attempt ends it; the
# running wgd-datapath has no capability, another user, an empty root, a filter; what it does through its keeper works;
# and when one of the two dies, the other goes too.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
PROBE=$WGD_BUILD/tests/datapath_cage_probe
[ -x "$PROBE" ] || need "$PROBE (build it first)"

in_cage() { # ATTEMPT; prints what it said, returns its status
  "$PROBE" "$1" 2>"$RIG_DIR/probe.err" </dev/null
}
status=0
said=$(in_cage none) || status=$?
[ "$status" != 77 ] || need "a kernel with seccomp"
[ "$said" = "did none: 0 (errno 0)" ] || fail "an idle process in the cage: '$said', status $status"
[ ! -s "$RIG_DIR/probe.err" ] || say "this machine does not give all of it: $(cat "$RIG_DIR/probe.err")"
for harmless in memory thread; do
  [ "$(in_cage "$harmless")" = "did $harmless: 0 (errno 0)" ] || fail "$harmless does not work in the cage"
done
for attempt in open openat2 create socket connect exec fork ptrace peek kill tgkill executable setuid mount namespace terminal; do
  status=0
  said=$(in_cage "$attempt") || status=$?
  { [ -z "$said" ] && [ "$status" = 159 ]; } || fail "$attempt: '$said', status $status (159 is SIGSYS)"
done 2>/dev/null
say "every attempt ended in SIGSYS"

keeper_and_worker() { # INTERFACE: sets KEEPER and WORKER
  KEEPER=$1
  WORKER=$(cat "/proc/$1/task/$1/children" | tr -d ' ')
  [ -n "$WORKER" ] || fail "no caged child"
}
field() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }

exec 8</etc/shadow # what its parent forgot to close
start "$A" "$WG_A" "$DATAPATH"
exec 8<&-
keeper_and_worker "$STARTED"
for process in "$KEEPER" "$WORKER"; do
  [ "$(find "/proc/$process/fd" -lname /etc/shadow | wc -l)" = 0 ] || fail "an open file came along"
done
wait_for 10 eval "[ \"\$(awk '/^Threads/ { print \$2 }' /proc/$WORKER/status)\" -ge 3 ]" || fail "no data threads"
for task in /proc/"$WORKER"/task/*; do
  thread=$(basename "$task")
  [ "$(awk '/^CapEff|^CapPrm|^CapInh|^CapBnd|^CapAmb/ { print $2 }' "$task/status" | sort -u)" = 0000000000000000 ] ||
    fail "thread $thread has capabilities: $(grep ^Cap "$task/status" | tr '\n' ' ')"
  [ "$(awk '/^Seccomp:/ { print $2 }' "$task/status")" = 2 ] || fail "thread $thread has no filter"
  [ "$(awk '/^NoNewPrivs/ { print $2 }' "$task/status")" = 1 ] || fail "thread $thread may gain privileges"
  [ "$(awk '/^Uid/ { print $2 $3 $4 $5 }' "$task/status" | grep -c '^0')" = 0 ] || fail "thread $thread is root"
  [ "$(awk '/^Groups/ { print NF }' "$task/status")" = 1 ] || fail "thread $thread has groups"
done
[ -z "$(ls -A "/proc/$WORKER/root/")" ] || fail "its root is not empty: $(ls "/proc/$WORKER/root/")"
[ "$(wc -l <"/proc/$WORKER/mountinfo")" -le 1 ] || fail "it sees mounts" # its root alone, if that
[ "$(field "$KEEPER" Seccomp)" = 2 ] || fail "the keeper has no filter"
[ "$(field "$KEEPER" CapEff)" = 0000000000001400 ] || fail "the keeper has capabilities $(field "$KEEPER" CapEff)"
[ "$(awk '/Max core file size/ { print $5 }' "/proc/$WORKER/limits")" = 0 ] || fail "it could dump core"

say "ports and marks after caging, a privileged port among them"
ip -n "$A" link set "$WG_A" up
wg set "$WG_A" listen-port 53 fwmark 5
[ "$(wg show "$WG_A" listen-port)" = 53 ] || fail "port 53 refused"
wg set "$WG_A" fwmark 6
wg set "$WG_A" listen-port 0
ip -n "$A" link set "$WG_A" down
ip -n "$A" link set "$WG_A" up
wait_for 10 eval "[ \$(ip netns exec $A ss -Hlun | wc -l) = 2 ]" || fail "the keeper or the tunnel holds $(in_a ss -Hlun | wc -l) sockets instead of 2"

say "the caged process dies: the keeper cleans up and says so"
kill -SEGV "$WORKER"
if wait "$KEEPER"; then fail "status 0 after a crash"; fi
[ ! -e "$SOCKETS/$WG_A.sock" ] || fail "the socket stays"
wait_for 10 eval "! ip -n $A link show $WG_A" || fail "the interface stays"

say "the keeper dies: the caged process ends"
start "$A" "$WG_A" "$DATAPATH"
keeper_and_worker "$STARTED"
kill -KILL "$KEEPER"
wait "$KEEPER" 2>/dev/null || true
# Gone, or a zombie where the first process of the namespace does not reap what it inherits.
wait_for 10 eval "! grep -q '^State:.[^Z]' /proc/$WORKER/status 2>/dev/null" || fail "it goes on alone"
wait_for 10 eval "! ip -n $A link show $WG_A" || fail "the interface stays"
say ok
