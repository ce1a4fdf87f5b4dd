#!/bin/bash
# SPDX-License-Identifier: MIT
# Stock wg-quick with WG_QUICK_USERSPACE_IMPLEMENTATION=wgd-datapath: up, a full tunnel, data, down, nothing left.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
command -v wg-quick >/dev/null || need "wg-quick"
command -v nft >/dev/null || need "nft"
if in_a ip link add probe type wireguard 2>/dev/null; then need "a kernel without WireGuard: wg-quick prefers it"; fi

start "$B" "$WG_B" "$DATAPATH"
wg set "$WG_B" listen-port 51822 private-key /dev/stdin peer "$PUB_A" allowed-ips 10.201.0.1/32,fd00:201::1/128 <<<"$KEY_B"
ip -n "$B" address add 10.201.0.2/24 dev "$WG_B"
ip -n "$B" address add fd00:201::2/64 dev "$WG_B" nodad
ip -n "$B" link set "$WG_B" up
ip -n "$B" address add 192.0.2.77/32 dev lo

cat >"$RIG_DIR/$WG_A.conf" <<CONF
[Interface]
PrivateKey = $KEY_A
Address = 10.201.0.1/24, fd00:201::1/64
[Peer]
PublicKey = $PUB_B
Endpoint = 10.200.0.2:51822
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 5
CONF
chmod 600 "$RIG_DIR/$WG_A.conf"
state() { in_a ip rule; in_a ip -6 rule; in_a ip route show table all; in_a nft list ruleset; in_a ip -br link; }
before=$(state | grep -v "fe80::\|^multicast\|^ff00" | sort)

say up
ip netns exec "$A" env WG_QUICK_USERSPACE_IMPLEMENTATION="$DATAPATH" wg-quick up "$RIG_DIR/$WG_A.conf" >"$RIG_DIR/quick.log" 2>&1 ||
  fail "wg-quick up: $(cat "$RIG_DIR/quick.log")"
[ "$(wg show "$WG_A" fwmark)" = 0xca6c ] || fail "no fwmark"
ping_ok "$A" 192.0.2.77 # reached through the tunnel's default route only
transfer "$A" "$B" 10.201.0.2
transfer "$B" "$A" fd00:201::1

say down
in_a wg-quick down "$RIG_DIR/$WG_A.conf" >"$RIG_DIR/quick.log" 2>&1 || fail "wg-quick down: $(cat "$RIG_DIR/quick.log")"
wait_for 10 eval "[ ! -e $SOCKETS/$WG_A.sock ]" || fail "the process stayed"
after=$(state | grep -v "fe80::\|^multicast\|^ff00" | sort)
[ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after") || true; fail "something was left"; }
say ok
