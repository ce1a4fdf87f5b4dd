#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The daemon is killed with SIGKILL at every step of `up`, and then of `down`: before each system call that can have
# an effect outside of the process, one after the other (strace injects the signal; wgd itself is as installed). Each
# time a new daemon must leave the machine as it was, or with the tunnel complete; never between.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools strace wg jq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

EFFECTS=sendmsg,sendto,write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,clone,clone3,vfork,fork,ftruncate
KILLS_AT_ONCE=${WGD_CRASH_STRIDE:-1} # 1: at every call; n: at every n-th

# bash announces every job that a signal ended; here that is the point.
exec 2> >(grep -v ' Killed  *( exec nsenter')

make_world
start_bus home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
start_wgd home
snapshot home "$SCENE/before"

# Attaches strace to the daemon and waits until it is attached; counting starts there.
attach() { # STRACE-ARGUMENTS...
    rm -f "$SCENE/strace.log"
    strace -p "$WGD_PID" -o "$SCENE/calls" -e "trace=$EFFECTS" "$@" 2>"$SCENE/strace.log" &
    STRACE=$!
    wait_for 10 "strace" grep -q attached "$SCENE/strace.log" || {
        grep -qi 'not permitted' "$SCENE/strace.log" && skip "strace may not trace here: $(cat "$SCENE/strace.log")"
        abort "strace does not attach: $(cat "$SCENE/strace.log")"
    }
}

calls_of() { # VERB
    attach
    wgctl home "$1" home >"$SCENE/said" 2>&1 || fail "wgctl $1 home" "$SCENE/said"
    stop "$STRACE" INT
    wc -l <"$SCENE/calls"
}

tunnel_is_up() { wgctl home status --json home 2>/dev/null | jq -e '[.. | .state? // empty][0] == "up"' >/dev/null; }

# One crash. Returns quietly if all is well; a summary is checked at the end.
crash_at() { # VERB CALL-NUMBER
    local verb=$1 number=$2 call i
    attach -e "inject=$EFFECTS:signal=KILL:when=$number"
    wgctl home "$verb" home >"$SCENE/said" 2>&1
    # Answered and alive a moment later: it needed fewer calls this time.
    for ((i = 0; i < 10; i++)); do
        kill -0 "$WGD_PID" 2>/dev/null || break
        sleep 0.03
    done
    if kill -0 "$WGD_PID" 2>/dev/null; then
        stop "$STRACE" INT
        survived=$((survived + 1))
    fi
    call=$(tail -n 2 "$SCENE/calls" | sed -n 1p)
    wait "$STRACE" 2>/dev/null
    if ! kill -0 "$WGD_PID" 2>/dev/null; then
        wait "$WGD_PID" 2>/dev/null
        start_wgd home
    fi
    if tunnel_is_up; then
        complete=$((complete + 1))
        wgctl home down home >"$SCENE/said" 2>&1 || fail "down after a crash of $verb at call $number" "$SCENE/said"
    else
        undone=$((undone + 1))
    fi
    snapshot home "$SCENE/after"
    diff -u "$SCENE/before" "$SCENE/after" >"$SCENE/diff" || {
        { echo "killed before: $call"; cat "$SCENE/diff"; } >"$SCENE/trouble"
        fail "killed at call $number of $verb: the machine is as before" "$SCENE/trouble"
        wgctl home down home >/dev/null 2>&1
        snapshot home "$SCENE/before" # the next crash is judged by itself
    }
}

for verb in up down; do
    [ "$verb" = up ] || wgctl home up home >/dev/null 2>&1
    total=$(calls_of "$verb")
    [ "$verb" = down ] || wgctl home down home >/dev/null 2>&1
    heading "$verb: $total calls with an effect"
    undone=0 complete=0 survived=0 failed=$(failed_checks) started=$SECONDS
    for ((number = 1; number <= total; number += KILLS_AT_ONCE)); do
        [ "$verb" = up ] || wgctl home up home >/dev/null 2>&1
        crash_at "$verb" "$number"
    done
    say "$((undone + complete)) crashes in $((SECONDS - started)) s: $undone times undone, $complete times complete;" \
        "$survived times it was done before the call"
    check "the daemon was really killed, again and again" test $((undone + complete - survived)) -gt $((total / KILLS_AT_ONCE / 2))
    check "every crash of $verb left the machine as it was or the tunnel complete" test "$(failed_checks)" = "$failed"
done
check "after all that, up works" wgctl home up home
check "down as well" wgctl home down home
finish
