#!/bin/bash
# SPDX-License-Identifier: MIT
# Unprivileged callers that never stop do not stop root from being served, nor the loop from turning.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
start_bus
start_daemon
"$WGCTL" up home >/dev/null || fail "up"
"$WGCTL" up huge >/dev/null || fail "up huge" # makes GetManagedObjects as dear as it gets
LIMIT_MS=20000 # a call must be served well before wgctl gives up (30 s); an idle machine takes 3 s, one with a load of 20 takes 7
memory() { awk '/VmRSS/ { print $2 }' "/proc/$DAEMON_PID/status"; }

for kind in objects up noreply peers; do
    rss=$(memory)
    flooders=()
    for i in 1 2 3; do
        as_nobody "$WGD_BUILD/tests/abuser" flood $kind 6 /org/wgd1/tunnel/home >"$DIR/flood.$i" 2>&1 &
        flooders+=($!)
        STARTED+=($!)
    done
    wait_for 5 "the flood" bash -c 'sleep 0.5'
    worst=0 served=0
    end=$((SECONDS + 4))
    while ((SECONDS < end)); do
        t0=$(date +%s%3N)
        timeout 30 "$WGCTL" plan home >/dev/null 2>"$DIR/err" && served=$((served + 1)) || fail "$kind: plan failed: $(<"$DIR/err")"
        took=$(($(date +%s%3N) - t0))
        ((took > worst)) && worst=$took
    done
    alive=$(grep -c alive "$DIR/daemon.out")
    kill -USR1 "$DAEMON_PID"
    wait_for 5 "the loop to turn under '$kind'" bash -c '[ $(grep -c alive "$1") -gt "$2" ]' - "$DIR/daemon.out" "$alive"
    for pid in "${flooders[@]}"; do wait "$pid"; done
    echo "    $kind: $(tr '\n' ';' <"$DIR/flood.1") root served $served times, at worst in $worst ms; memory $rss -> $(memory) KiB"
    if ((served > 0 && worst < LIMIT_MS)); then pass "$kind: root is served"; else fail "$kind: root waited $worst ms"; fi
    # Not growing without bound: a leak per call would show by the tens of thousands of calls made.
    if (($(memory) < rss + 65536)); then pass "$kind: memory stays"; else fail "$kind: memory grew to $(memory) KiB"; fi
    daemon_lives "$kind: the daemon lives"
done
has_not "the bus never threw the daemon out" "$(<"$DIR/daemon.log")" "lost the system bus"
finish
