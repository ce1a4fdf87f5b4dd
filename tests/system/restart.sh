#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The daemon goes and comes back, politely and by SIGKILL: its tunnels stay, a TCP stream through one never breaks,
# and the new daemon knows them well enough to take them down. Then the datapath is killed under the daemon.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"

need_tools wg jq socat ping
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
snapshot home "$SCENE/before"

state_of() { wgctl home status --json "$1" | jq -r '.. | .state? // empty' | sed -n 1p; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }

heading "A TCP stream through a tunnel"
check "up" wgctl home up home
start_numbers internet
receive_numbers home "$INTERNET_V4"
stream=$STARTED
check "it flows" flows 20
on home wg show home dump | sed -n 1p >"$SCENE/device"
datapath_before=$(pidof wgd-datapath || echo none)

for how in TERM KILL; do
    heading "wgd is ended with SIG$how"
    stop "$WGD_PID" "$how"
    check "the stream flows without a daemon" flows 20
    check "wgctl says that the daemon is not there" bash -c '
        nsenter --target "$1" --net --mount --root --wdns=/ -- "$2" status home; [ $? = 3 ]' - "${MACHINE_PID[home]}" "$BIN/wgctl"
    start_wgd home
    check "after its return the tunnel is up" wait_for 5 "up" is_state home up
    check "the same datapath runs on" test "$(pidof wgd-datapath || echo none)" = "$datapath_before"
    on home wg show home dump | sed -n 1p >"$SCENE/device-now"
    check_same "key, port and mark are the same" "$SCENE/device" "$SCENE/device-now"
    check "the stream flows" flows 20
done
kill "$stream"
check "every line came once and in order" numbers_in_order
check "another up changes nothing" wgctl home up home
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"

heading "The datapath is killed while the daemon is away"
check "up" wgctl home up home
stop "$WGD_PID" KILL
pids=$(pgrep --exact wgd-datapath)
# shellcheck disable=SC2086
kill -9 $pids
wait_for 10 "their end" bash -c "! ps -o stat= -p ${pids//$'\n'/,} | grep -v '^Z'"
check "(its socket is there)" on home test -e /run/wireguard/home.sock
start_wgd home
snapshot home "$SCENE/after"
check_same "the next daemon leaves the machine as it was before the tunnel" "$SCENE/before" "$SCENE/after"

# wgd-datapath is two processes: a keeper that wgd watches (the older one), and the worker that moves packets.
for which in --oldest --newest; do
    heading "The datapath is killed under the daemon: its ${which#--} process"
    check "up" wgctl home up home
    kill -9 "$(pgrep "$which" --exact wgd-datapath)"
    check "the tunnel is failed" wait_for 10 "failed" is_state home failed
    check_shown "status tells it" wgctl home status home
    check_says "  ... with the reason" 'datapath|killed|signal'
    snapshot home "$SCENE/after"
    check_same "nothing of it is left" "$SCENE/before" "$SCENE/after"
    check "the next up works" wgctl home up home
    check "  ... and traffic flows" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
    check "down" wgctl home down home
    snapshot home "$SCENE/after"
    check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
done
finish
