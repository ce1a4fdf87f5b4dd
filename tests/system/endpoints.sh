#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The name of a full tunnel's endpoint: not there at boot, with a dead address first, moving while the tunnel is up
# and all other traffic (name look-ups too) goes into it, and not answering at all. The name server is beyond the
# default route: a question that does not bear the tunnel's mark ends in the tunnel.
#
# Most of the time is spent on a peer that does not answer, until it has not answered for long enough. So the two acts
# are played at the same time, each in a scene of its own; `endpoints.sh found` and `endpoints.sh moved` play one.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/name_server.sh"

need_tools wg jq ping dnsmasq python3
need_programs wgd wgctl wgd-datapath
if [ $# = 0 ]; then
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
    bash "$0" moved >"$said" 2>&1 &
    moved=$!
    found_rc=0 moved_rc=0
    bash "$0" found || found_rc=$?
    wait "$moved" || moved_rc=$?
    cat "$said"
    [ "$moved_rc" = 0 ] || exit "$moved_rc"
    exit "$found_rc"
fi
enter_scene "$@"

FAKE_LOGIND=$WGD_BUILD/tests/fake_logind
[ -x "$FAKE_LOGIND" ] || abort "$FAKE_LOGIND is not built"
DEAD_V4=203.0.113.9 MOVED_V4=203.0.113.2

make_world
provider_peer
on provider ip address add "$MOVED_V4/32" dev lo
# A router that drops without a word, as they do.
on provider ip route add blackhole "$DEAD_V4/32"
start_bus home
asks_the_internet # nobody answers questions in the tunnel (10.5.0.1)
cat >"$SCENE/home/wgd.toml" <<EOT
[defaults]
endpoint_wait = 1
endpoint_retry = 1
endpoint_ttl_min = 1
EOT

endpoint_is() { [ "$(on home wg show home endpoints | cut -f 2)" = "$1:$PEER_PORT" ]; }
answers() { on home ping -n -c 1 -W 1 10.5.0.1; }
say_endpoint() { say "the endpoint is $(on home wg show home endpoints | cut -f 2)"; }

start_wgd home
full_tunnel_profile "$NAME:$PEER_PORT" | write_profile home home

found() {
    heading "At boot there is no name server"
    check "up, without an endpoint" wgctl home up home
    check_shown "status says so" wgctl home status home
    check_says "  ... that it goes on asking" "$NAME.*asked for again"
    names "$DEAD_V4" "$PEER_V4"
    start_dns
    check "the endpoint comes with the name server" wait_for 15 "an endpoint" endpoint_is "$DEAD_V4"

    heading "The first address is dead, the second is not"
    check "the second is found" wait_for 60 "an answer" answers
    check "  ... and set" endpoint_is "$PEER_V4"
    say_endpoint

    heading "The machine wakes up"
    start home logind bash -c "exec $FAKE_LOGIND < <(exec tail -f -n +1 $SCENE/sleep)"
    : >"$SCENE/sleep"
    wait_for 10 "logind" grep -q ready "$SCENE/home/logind.log"
    names "$PEER_V4"
    before=$(grep -c 'suspended' "$SCENE/home/wgd.log" || :)
    printf 'suspend\nresume\n' >>"$SCENE/sleep"
    check "logind's word is heard" wait_for 5 "a line in the log" bash -c \
        "[ \$(grep -c suspended $SCENE/home/wgd.log) -gt $before ]"
    check "the name is asked for again" wait_for 5 "a question" asked_again "$(questions)"
    check "the endpoint that works stays" endpoint_is "$PEER_V4"

    heading "The clock is set"
    # To what it is: the kernel tells of that as of any other time.
    if python3 -c 'import time; time.clock_settime_ns(time.CLOCK_REALTIME, time.clock_gettime_ns(time.CLOCK_REALTIME))' 2>/dev/null; then
        check "it is noticed" wait_for 5 "a line in the log" grep -q "the clock was set" "$SCENE/home/wgd.log"
        check "the name is asked for again" wait_for 5 "a question" asked_again "$(questions)"
        check "the endpoint that works stays" endpoint_is "$PEER_V4"
    else
        say "(this machine does not let its clock be set: not tested)"
    fi

    heading "The name server is gone"
    stop_dns
    check "status says that the name does not resolve" wait_for 30 "the warning" bash -c "
        nsenter --target ${MACHINE_PID[home]} --net --mount --root --wdns=/ -- $BIN/wgctl status home | grep -q 'stays at $PEER_V4'"
    check "the tunnel works on" answers
    check "the endpoint is the same" endpoint_is "$PEER_V4"
}

moved() {
    heading "The peer moves while everything else goes through the tunnel"
    names "$PEER_V4"
    start_dns
    check "up" wgctl home up home
    check "the tunnel works" wait_for 10 "an answer" answers
    names "$MOVED_V4"
    wait_for 15 "a question" asked_again "$(questions)"
    # Its new machine has not heard of us: it cannot make itself known.
    on provider ip address del "$PEER_V4/32" dev lo
    on provider ip route add blackhole "$PEER_V4/32"
    stop "$STOCK_PEER_PID"
    provider_peer
    # Somebody uses the tunnel all the time.
    start home traffic ping -n -i 0.5 10.5.0.1
    check "it is found again" wait_for 60 "the new address" endpoint_is "$MOVED_V4"
    check "  ... and answers" wait_for 20 "an answer" answers
    settled=$(grep -c 'reapplied' "$SCENE/home/wgd.log")
    check "questions went on all the time" wait_for 10 "more questions" asked_again "$(questions)"
    check "nothing was set again" test "$(grep -c 'reapplied' "$SCENE/home/wgd.log")" = "$settled"

    heading "A new daemon finds the endpoint as it is"
    stop "$WGD_PID"
    start_wgd home
    check "it is kept" wait_for 10 "more questions" asked_again "$(questions)"
    check "  ... and answers" answers
    check "  ... where it was" endpoint_is "$MOVED_V4"
}

"$1"
check "down" wgctl home down home
finish
