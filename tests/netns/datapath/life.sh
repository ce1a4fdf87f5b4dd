#!/bin/bash
# SPDX-License-Identifier: MIT
# How wgd-datapath begins and ends: background and foreground, the environment variables of wireguard-go, conflicts,
# removal of the socket or of the interface, signals, a move to another namespace while it runs.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
[ -x "$WGD_BUILD/tests/datapath_descriptors" ] || need "$WGD_BUILD/tests/datapath_descriptors (build it first)"

gone() { ! ip -n "$A" link show "$1" 2>/dev/null && [ ! -e "$SOCKETS/$1.sock" ]; }
expect_gone() { wait_for 15 gone "$1" || fail "$1 did not end cleanly"; }
processes() { pgrep -f "^$DATAPATH .*$1\$|^$DATAPATH $1" || true; }

say "background: it returns when everything is there"
in_a "$DATAPATH" "$WG_A" >"$RIG_DIR/out.log" 2>&1 || fail "it did not start"
[ -S "$SOCKETS/$WG_A.sock" ] || fail "no socket at return"
[ "$(stat -c %a "$SOCKETS/$WG_A.sock")" = 700 ] || fail "the socket is open to others"
grep -q 'mtu 1420' <(ip -n "$A" link show "$WG_A") || fail "no interface with MTU 1420"
wg show "$WG_A" >/dev/null || fail "it does not answer"
[ ! -s "$RIG_DIR/out.log" ] || fail "it was not silent: $(cat "$RIG_DIR/out.log")"

say "the name is taken"
if in_a "$DATAPATH" "$WG_A" 2>"$RIG_DIR/out.log"; then fail "two of one name"; else [ $? = 1 ] || fail "exit status"; fi
grep -q "in use" "$RIG_DIR/out.log" || fail "unhelpful: $(cat "$RIG_DIR/out.log")"
if in_b "$DATAPATH" "$WG_A" 2>"$RIG_DIR/out.log"; then fail "two sockets of one name"; fi
grep -q "serves" "$RIG_DIR/out.log" || fail "unhelpful: $(cat "$RIG_DIR/out.log")"
! ip -n "$B" link show "$WG_A" 2>/dev/null || fail "a refused start left an interface"
wg show "$WG_A" >/dev/null || fail "the first one suffered"

say "removing the socket ends it"
rm "$SOCKETS/$WG_A.sock"
expect_gone "$WG_A"

say "removing the interface ends it"
in_a "$DATAPATH" "$WG_A"
ip -n "$A" link del "$WG_A"
expect_gone "$WG_A"

say "signals end it, with status 0"
for signal in TERM INT; do
  start "$A" "$WG_A" "$DATAPATH"
  kill -"$signal" "$STARTED"
  wait "$STARTED" || fail "status $? after SIG$signal"
  expect_gone "$WG_A"
done

say "killed outright: the stale socket is no obstacle"
start "$A" "$WG_A" "$DATAPATH"
kill -KILL "$STARTED"
wait "$STARTED" 2>/dev/null || true
wait_for 10 eval "! ip -n $A link show $WG_A" || fail "the interface outlived its process"
start "$A" "$WG_A" "$DATAPATH"
stop "$STARTED"
expect_gone "$WG_A"

say "-f and --foreground, LOG_LEVEL"
for option in -f --foreground; do
  LOG_LEVEL=verbose ip netns exec "$A" "$DATAPATH" $option "$WG_A" >"$RIG_DIR/out.log" 2>&1 &
  PIDS+=($!)
  job=$!
  wait_for 15 wg show "$WG_A" || fail "$option: not there"
  stop "$job"
  grep -q cipher "$RIG_DIR/out.log" || fail "nothing verbose in the log"
done
LOG_LEVEL=silent in_a "$DATAPATH" "$WG_A" >"$RIG_DIR/out.log" 2>&1
[ ! -s "$RIG_DIR/out.log" ] || fail "LOG_LEVEL=silent spoke"
rm "$SOCKETS/$WG_A.sock"
expect_gone "$WG_A"

say "bad arguments"
for arguments in "" "a b" "--frobnicate" "../x" "a/b" "averyveryverylongname"; do
  # shellcheck disable=SC2086
  if in_a "$DATAPATH" $arguments >"$RIG_DIR/out.log" 2>&1; then fail "'$arguments' was accepted"; fi
  [ -s "$RIG_DIR/out.log" ] || fail "'$arguments': no message"
done
if LOG_LEVEL=loud in_a "$DATAPATH" "$WG_A" 2>/dev/null; then fail "LOG_LEVEL=loud was accepted"; fi
if WG_TUN_FD=99 in_a "$DATAPATH" "$WG_A" 2>/dev/null; then fail "WG_TUN_FD=99 was accepted"; fi
if WG_UAPI_FD=0 in_a "$DATAPATH" "$WG_A" 2>/dev/null </dev/null; then fail "WG_UAPI_FD=0 was accepted"; fi
! ip -n "$A" link show "$WG_A" 2>/dev/null || fail "a refused start left an interface"
grep -q WG_TUN_FD <("$DATAPATH" --help) || fail "--help"
grep -q '^wgd-datapath [0-9]' <("$DATAPATH" --version) || fail "--version"

say "descriptors from outside: a TUN with and without virtio-net header, a listening socket"
start "$B" "$WG_B" "$DATAPATH"
b=$STARTED
for kind in plain vnet; do
  ip netns exec "$A" "$WGD_BUILD/tests/datapath_descriptors" "$kind" "$WG_A" "$SOCKETS/$WG_A.sock" \
    env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error "$DATAPATH" "$WG_A" >"$RIG_DIR/$WG_A.log" 2>&1 &
  PIDS+=($!)
  a=$!
  wait_for 15 wg show "$WG_A" || fail "$kind: not there"
  ip -n "$B" address flush dev "$WG_B"
  connect 4 no
  ping_ok "$A" 10.201.0.2
  transfer "$A" "$B" 10.201.0.2
  transfer "$B" "$A" fd00:201::1
  stop "$a"
  rm -f "$SOCKETS/$WG_A.sock" # whoever made it removes it
  wait_for 10 eval "! ip -n $A link show $WG_A" || fail "$kind: the interface stays"
done
stop "$b"

say "moved to another namespace while it runs, and up again there"
ip netns add "$RIG-c"
start "$A" "$WG_A" "$DATAPATH"
a=$STARTED
start "$B" "$WG_B" "$DATAPATH"
b=$STARTED
connect 4 no
ping_ok "$A" 10.201.0.2
ip -n "$A" link set "$WG_A" netns "$RIG-c"
kill -0 "$a" || fail "the move ended it"
ip -n "$RIG-c" address add 10.201.0.1/24 dev "$WG_A"
ip -n "$RIG-c" link set "$WG_A" up
ping_ok "$RIG-c" 10.201.0.2 # the sockets stayed behind, in A
ip -n "$RIG-c" link set "$WG_A" down
wait_for 10 eval "! grep -q 51821 <(in_a ss -Hlun sport = 51821)" || fail "down in the new namespace was not noticed"
ip -n "$RIG-c" link set "$WG_A" up
ping_ok "$RIG-c" 10.201.0.2
ip -n "$RIG-c" link del "$WG_A"
wait_for 10 eval "! kill -0 $a" || fail "deleted in the new namespace, but it runs on"
stop "$b"
say ok
