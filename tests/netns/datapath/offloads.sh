#!/bin/bash
# SPDX-License-Identifier: MIT
# The tunnel works without each of the kernel's offloads, at one end or at both, and with every cipher back end; TCP and
# UDP inside, compared byte for byte.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"

# Datagrams with an application's own segmentation would need an application; a burst of plain ones does for UDP.
datagrams() {
  ip netns exec "$B" timeout 20 socat -u -b 1200 UDP4-RECV:7001,rcvbuf=4000000 "CREATE:$RIG_DIR/copy" &
  local server=$!
  wait_for 10 eval "grep -q 7001 <(ip netns exec $B ss -Hlun sport = 7001)" || fail "no UDP listener"
  head -c 240000 "$RIG_DIR/data" >"$RIG_DIR/some"
  ip netns exec "$A" socat -u -b 1200 "OPEN:$RIG_DIR/some" UDP4:10.201.0.2:7001
  wait_for 10 cmp "$RIG_DIR/some" "$RIG_DIR/copy" || fail "datagrams lost or damaged"
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  rm -f "$RIG_DIR/copy"
}

round() { # ENV_A ENV_B [PROGRAM_A]
  say "A: $1, B: $2"
  start "$A" "$WG_A" "${3:-$DATAPATH}" "$1"
  local a=$STARTED
  start "$B" "$WG_B" "$DATAPATH" "$2"
  local b=$STARTED
  connect 4 no
  ping_ok "$A" 10.201.0.2
  transfer "$A" "$B" 10.201.0.2
  transfer "$B" "$A" fd00:201::1
  datagrams
  stop "$a"
  stop "$b"
}

for off in tso4 tso6 tso uso gso gro all; do
  round "WGD_OFFLOADS_OFF=$off" "WGD_OFFLOADS_OFF=$off"
done
round "WGD_OFFLOADS_OFF=all" "WGD_OFFLOADS_OFF="
DYNAMIC=$WGD_BUILD/tests/datapath_dynamic # openssl is for programs that can open a library
[ -x "$DYNAMIC" ] || need "$DYNAMIC (build it first)"
for aead in ipsec-mb openssl sodium; do
  if ! WGD_AEAD=$aead "$DYNAMIC" "${RIG}x" >"$RIG_DIR/probe.log" 2>&1; then
    grep -q "not available" "$RIG_DIR/probe.log" || fail "$aead: $(cat "$RIG_DIR/probe.log")"
    say "$aead: not on this machine"
    continue
  fi
  rm "$SOCKETS/${RIG}x.sock"
  wait_for 10 eval "! ip link show ${RIG}x" || fail "${RIG}x did not end"
  round "WGD_AEAD=$aead" "WGD_AEAD=sodium" "$DYNAMIC"
done
round "WGD_AEAD=" "WGD_AEAD=" "$DYNAMIC" # as it chooses itself, at either end
say ok
