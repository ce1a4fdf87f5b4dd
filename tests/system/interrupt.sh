#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Somebody presses Ctrl-C: `wgctl up` and `wgctl reload` are given up and undone, whatever they are doing (a hook that
# hangs, a name that does not answer), and the exit status says so. And a daemon that dies under `wgctl up` is no
# riddle.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg jq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

# bash announces every job that a signal ended; here that is meant to happen.
exec 2> >(grep -v ' Killed  *( exec nsenter')

make_world
start_bus home
start_wgd home

# Starts wgctl, waits until what it is to be interrupted in is there, interrupts it.
interrupted() { # SIGNAL STATUS SEEN-BY (a command) WORDS...
    local signal=$1 status=$2 seen=$3 rc=0
    shift 3
    start home wgctl "$BIN/wgctl" "$@"
    local wgctl=$STARTED
    wait_for 10 "$seen" bash -c "$seen" || return 1
    # A background job of bash ignores SIGINT; wgctl is told all the same, as it waits for it itself.
    kill -s "$signal" "$wgctl"
    wait "$wgctl" || rc=$?
    cp "$SCENE/home/wgctl.log" "$SCENE/said" && : >"$SCENE/home/wgctl.log"
    echo "exit status $rc" >>"$SCENE/said"
    [ "$rc" = "$status" ]
}
state() { wgctl home status --json "$1" | jq -r '.tunnels[0].state'; }

for moment in PreUp PostUp; do
    full_tunnel_profile "$PEER_V4:$PEER_PORT" |
        sed "/^\[Interface\]/a PreUp = true\n$moment = touch /run/hanging; sleep 1000\nPostDown = echo down >>/run/hook-saw" |
        write_profile home home
    on home rm -f /run/hook-saw
    snapshot home "$SCENE/before"
    hanging="test -e $SCENE/home/run/hanging"
    for signal in INT:130 TERM:143; do
        heading "$moment hangs, and SIG${signal%:*} comes"
        check_shown "wgctl up ends with ${signal#*:}" interrupted "${signal%:*}" "${signal#*:}" "$hanging" up home
        check_says "  ... and says what happened" "interrupted; what had been done is undone"
        check "the hook is gone" bash -c "! pgrep -f '^sleep 1000' >/dev/null"
        check "PostDown ran, since PreUp had" grep -q down <(on home cat /run/hook-saw)
        on home rm -f /run/hanging /run/hook-saw
        snapshot home "$SCENE/after"
        check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
        check_refused "there is no tunnel" 0 'home: down' wgctl home status home
    done
done

heading "A name that nobody answers for"
full_tunnel_profile "vpn.example.net:51820" | write_profile home home
printf '[defaults]\nendpoint_wait = 60\n' >"$SCENE/home/wgd.toml"
kill -HUP "$WGD_PID"
wait_for 5 "the settings" grep -q 'settings read again' "$SCENE/home/wgd.log"
snapshot home "$SCENE/before"
resolving="[ \"\$(nsenter --target ${MACHINE_PID[home]} --net --mount --root --wdns=/ -- $BIN/wgctl status --json home |
    jq -r '.tunnels[0].state')\" = resolving ]"
check_shown "wgctl up ends with 130" interrupted INT 130 "$resolving" up home
check_says "  ... and says what happened" "interrupted"
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"

heading "A reload that waits for a name"
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
check "up" wgctl home up home
{
    full_tunnel_profile "$PEER_V4:$PEER_PORT"
    printf '\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.99.0.0/16\nEndpoint = vpn.example.net:1\n' "$(wg genkey | wg pubkey)"
} | write_profile home home
on home wg show home peers >"$SCENE/peers"
# That it waits shows in a save being refused.
waiting="nsenter --target ${MACHINE_PID[home]} --net --mount --root --wdns=/ -- $BIN/wgctl save home 2>&1 | grep -q 'is reloading'"
check_shown "wgctl reload ends with 130" interrupted INT 130 "$waiting" reload home
check_says "  ... and says what happened" "the reload of 'home' was interrupted"
check_same "the peers are as before" "$SCENE/peers" <(on home wg show home peers)
check "it is up" test "$(state home)" = up
check "down" wgctl home down home

heading "The daemon is killed while wgctl waits"
full_tunnel_profile "$PEER_V4:$PEER_PORT" |
    sed "/^\[Interface\]/a PostUp = touch /run/hanging; sleep 1000" | write_profile home home
snapshot home "$SCENE/before"
start home wgctl "$BIN/wgctl" up home
wgctl=$STARTED
wait_for 10 "the hook" test -e "$SCENE/home/run/hanging"
stop "$WGD_PID" KILL
rc=0
wait "$wgctl" || rc=$?
cp "$SCENE/home/wgctl.log" "$SCENE/said"
quote <"$SCENE/said"
check "wgctl ends with 3" test "$rc" = 3
check_says "and says what that means" "the daemon went away before it answered.*undone when it is started again"
start_wgd home
pkill -f '^sleep 1000' # of this scene's PID namespace: the hook of a daemon that was killed
on home rm -f /run/hanging
snapshot home "$SCENE/after"
check_same "the next daemon has undone it" "$SCENE/before" "$SCENE/after"
finish
