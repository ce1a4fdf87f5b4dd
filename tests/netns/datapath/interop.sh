#!/bin/bash
# SPDX-License-Identifier: MIT
# wgd-datapath and Debian's wireguard-go through each other's tunnels: both roles, with and without a preshared key, over
# IPv4 and IPv6, both families inside, data compared byte for byte in both directions. Another version of wireguard-go:
# WGD_TEST_WIREGUARD_GO=PATH (bench/fetch-wireguard-go DIRECTORY gets the newest of Debian's archive).
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
GO=${WGD_TEST_WIREGUARD_GO:-wireguard-go}
command -v "$GO" >/dev/null || need "wireguard-go"

round() { # PROGRAM_A PROGRAM_B OUTER PSK
  say "A: $(basename "$1"), B: $(basename "$2"), outer IPv$3, preshared key: $4"
  start "$A" "$WG_A" "$1"
  local a=$STARTED
  start "$B" "$WG_B" "$2"
  local b=$STARTED
  connect "$3" "$4"
  ping_ok "$A" 10.201.0.2 # A initiates
  ping_ok "$B" fd00:201::1
  transfer "$A" "$B" 10.201.0.2
  transfer "$B" "$A" fd00:201::1
  if [ "$3$4" = 4no ]; then
    transfer "$B" "$A" 10.201.0.1
    transfer "$A" "$B" fd00:201::2
  fi
  grep -qv $'\t0$' <(wg show "$WG_A" latest-handshakes) || fail "A saw no handshake"
  local received
  received=$(wg show "$WG_B" transfer | cut -f2)
  [ "$received" -gt 12000000 ] || fail "B counted only $received bytes"
  stop "$a"
  stop "$b"
  [ ! -e "$SOCKETS/$WG_A.sock" ] || [ ! -e "$SOCKETS/$WG_B.sock" ] || fail "sockets left behind"
  wait_for 10 eval "! ip -n $A link show $WG_A && ! ip -n $B link show $WG_B" || fail "interfaces left behind"
}

for outer in 4 6; do
  for psk in no yes; do
    round "$DATAPATH" "$GO" "$outer" "$psk"
    round "$GO" "$DATAPATH" "$outer" "$psk"
  done
done
round "$DATAPATH" "$DATAPATH" 4 yes
round "$DATAPATH" "$DATAPATH" 6 no
say ok
