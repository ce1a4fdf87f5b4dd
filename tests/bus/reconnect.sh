#!/bin/bash
# SPDX-License-Identifier: MIT
# The bus dies and comes back: the daemon lives, comes back with its tunnels, and calls under way harm nothing.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
start_bus
start_daemon
"$WGCTL" up home >/dev/null || fail "up"

for round in 1 2 3; do
    "$WGCTL" up hang >"$DIR/hang.out" 2>&1 &
    hanging=$!
    "$WGCTL" up slow >/dev/null 2>&1 & # its answer comes while there is no bus
    slow=$!
    wait_for 10 "the hanging call to arrive" bash -c '[ "$(grep -c hanging "$1")" = "$2" ]' - "$DIR/daemon.log" $round
    wait_for 10 "slow to begin" bash -c '"$1" status | grep -q "^slow: [ra]"' - "$WGCTL"
    kill -9 "$BUS_PID"
    wait "$BUS_PID" 2>/dev/null
    wait $hanging
    has "round $round: a waiting caller is told" "$(<"$DIR/hang.out")" "went away"
    wait $slow
    sleep 2.2 # until the answer to "slow" has come and found nobody
    if kill -0 "$DAEMON_PID"; then pass "round $round: the daemon lives without a bus"; else fail "round $round: the daemon died"; fi
    before=$(grep -c alive "$DIR/daemon.out")
    kill -USR1 "$DAEMON_PID"
    wait_for 5 "its loop to turn" bash -c '[ $(grep -c alive "$1") -gt "$2" ]' - "$DIR/daemon.out" "$before"
    start_bus
    wait_for 30 "the daemon to come back" "$WGCTL" list
    has "round $round: the tunnels are there again" "$("$WGCTL" status)" "^home: up"
    expect 0 "round $round: and it does what it is told" "$WGCTL" down slow
    # A back-off that began anew: the next round is not slower than this one.
done
has "it said what happened" "$(<"$DIR/daemon.log")" "lost the system bus.*tunnels stay"
has "and that it is back" "$(<"$DIR/daemon.log")" "back on the system bus"
kill -TERM "$DAEMON_PID"
wait "$DAEMON_PID"
[ $? = 0 ] && pass "ends cleanly" || fail "does not end cleanly"
finish
