#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Several full tunnels on one machine, started at the same time (wg-quick: compat D3, D4): never the same mark or
# table, never a moment without rules for the one that is up, and taking one down leaves the other's rules alone.
# From the moment that the first is up to the moment that the last goes, home sends to the internet without a pause:
# not one packet of that may be on the wire in clear.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/wire.sh"

need_tools wg jq ping tcpdump
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
start_wgd home
for name in one two three; do
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home "$name"
done
snapshot home "$SCENE/before"

# "FAMILY fwmark MARK table TABLE" of every tunnel rule.
full_tunnel_rules() {
    local family
    for family in 4 6; do
        on home ip -j -$family rule show | jq -r --arg f $family '
            .[] | select(has("not") and has("fwmark")) | "\($f) fwmark \(.fwmark) table \(.table)"'
    done
}
suppress_rules() { # FAMILY
    on home ip -j "-$1" rule show | jq '[.[] | select(.suppress_prefixlen == 0)] | length'
}

MARKER='wgd plain text l' # what the packets are filled with
PATTERN=$(printf %s "$MARKER" | od -An -tx1 | tr -d ' \n')
# At the other end of the cable, so that home itself is as it was.
wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
for round in 1 2 3 4 5 6 7 8 9 10; do
    names=(one two)
    [ "$round" != 1 ] || names+=(three)
    heading "Round $round: ${#names[@]} at once"
    pids=()
    rm -f "$SCENE"/rc-*
    for name in "${names[@]}"; do
        {
            wgctl home up "$name" >"$SCENE/up-$name" 2>&1
            echo $? >"$SCENE/rc-$name"
        } &
        pids+=($!)
    done
    wait_for 30 "the first of them" compgen -G "$SCENE/rc-*"
    start home traffic ping -n -q -i 0.01 -p "$PATTERN" "$INTERNET_V4"
    traffic=$STARTED
    start home traffic6 ping -n -q -i 0.01 -p "$PATTERN" "$INTERNET_V6"
    traffic6=$STARTED
    wait "${pids[@]}"
    for name in "${names[@]}"; do
        if [ "$(cat "$SCENE/rc-$name")" = 0 ]; then pass "up $name"; else fail "up $name" "$SCENE/up-$name"; fi
    done
    marks=$(for name in "${names[@]}"; do on home wg show "$name" fwmark; done | sort -u)
    check "every tunnel has a mark of its own: $(tr '\n' ' ' <<<"$marks")" test "$(grep -c 0x <<<"$marks")" = ${#names[@]}
    full_tunnel_rules >"$SCENE/rules"
    for mark in $marks; do
        check "rules for mark $mark, IPv4 and IPv6, each with its own table" \
            test "$(grep -c "fwmark $mark table $((mark))$" "$SCENE/rules")" = 2
    done
    check "no other tunnel rules" test "$(wc -l <"$SCENE/rules")" = $((2 * ${#names[@]}))

    heading "Round $round: one after the other goes"
    remaining=${#names[@]}
    for name in "${names[@]}"; do
        mark=$(on home wg show "$name" fwmark)
        if [ "$remaining" = 1 ]; then
            stop "$traffic" INT
            stop "$traffic6" INT
        fi
        check "down $name" wgctl home down "$name"
        remaining=$((remaining - 1))
        full_tunnel_rules >"$SCENE/rules"
        check "its rules are gone, the others' are not" bash -c '
            ! grep -q "fwmark $1 " "$2" && [ "$(wc -l <"$2")" = "$3" ]' - "$mark" "$SCENE/rules" $((2 * remaining))
        if [ "$remaining" -gt 0 ]; then
            check "main is still asked first for anything but a default route" \
                test "$(suppress_rules 4)" -ge 1 -a "$(suppress_rules 6)" -ge 1
            check "src_valid_mark stays while it is needed" \
                test "$(on home cat /proc/sys/net/ipv4/conf/all/src_valid_mark)" = 1
        fi
    done
    snapshot home "$SCENE/after"
    check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
done

heading "On the wire, all that time"
wire_check "$MARKER"

heading "Up and down of the same tunnel, from several callers at once"
pids=()
for verb in up up down up down up; do
    wgctl home "$verb" one >/dev/null 2>&1 &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    rc=0
    wait "$pid" || rc=$?
    # done, superseded, not up, or busy: all of these are answers; a crash or a hang is none
    check "a caller got an answer (exit status $rc)" test "$rc" = 0 -o "$rc" = 1 -o "$rc" = 6 -o "$rc" = 7
done
wgctl home down one >/dev/null 2>&1
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
finish
