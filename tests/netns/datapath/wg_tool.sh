#!/bin/bash
# SPDX-License-Identifier: MIT
# Stock wg(8) drives the device: set, show, showconf, setconf, addconf, syncconf, and the errors of the configuration
# socket, spoken to directly.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"

start "$A" "$WG_A" "$DATAPATH"
is() { [ "$2" = "$3" ] || fail "$1: '$2' is not '$3'"; }
uapi() { printf '%b' "$1" | socat -t 5 - "UNIX-CONNECT:$SOCKETS/$WG_A.sock"; }

say "an empty device"
is "show" "$(wg show "$WG_A" dump)" "$(printf '(none)\t(none)\t0\toff')"

say "set"
echo "$KEY_A" >"$RIG_DIR/key"
echo "$PSK" >"$RIG_DIR/psk"
wg set "$WG_A" listen-port 51999 fwmark 0x2a private-key "$RIG_DIR/key" \
  peer "$PUB_B" preshared-key "$RIG_DIR/psk" endpoint '[fd00:200::2]:7' persistent-keepalive 25 \
  allowed-ips 10.1.0.0/16,fd00::/8
is private "$(wg show "$WG_A" private-key)" "$KEY_A"
is public "$(wg show "$WG_A" public-key)" "$PUB_A"
is port "$(wg show "$WG_A" listen-port)" 51999
is fwmark "$(wg show "$WG_A" fwmark)" 0x2a
is psk "$(wg show "$WG_A" preshared-keys)" "$(printf '%s\t%s' "$PUB_B" "$PSK")"
is endpoint "$(wg show "$WG_A" endpoints)" "$(printf '%s\t[fd00:200::2]:7' "$PUB_B")"
is keepalive "$(wg show "$WG_A" persistent-keepalive)" "$(printf '%s\t25' "$PUB_B")"
is allowed "$(wg show "$WG_A" allowed-ips | tr ' ' '\n' | cut -f2 | sort | tr '\n' ' ')" "10.1.0.0/16 fd00::/8 "

say "an allowed IP moves to another peer; peers stay in the order they were added"
other=$(wg genkey | wg pubkey)
wg set "$WG_A" peer "$other" allowed-ips 10.1.0.0/16
is "order" "$(wg show "$WG_A" peers | tr '\n' ' ')" "$PUB_B $other "
is "moved" "$(wg show "$WG_A" allowed-ips | grep "^$PUB_B" | cut -f2)" "fd00::/8"

say "showconf, setconf and syncconf are inverse to each other"
wg showconf "$WG_A" >"$RIG_DIR/conf"
wg set "$WG_A" private-key /dev/null fwmark off peer "$other" remove
is removed "$(wg show "$WG_A" peers)" "$PUB_B"
is "no key" "$(wg show "$WG_A" private-key)" "(none)"
wg setconf "$WG_A" "$RIG_DIR/conf"
is restored "$(wg showconf "$WG_A")" "$(cat "$RIG_DIR/conf")"
wg syncconf "$WG_A" "$RIG_DIR/conf"
is synced "$(wg showconf "$WG_A")" "$(cat "$RIG_DIR/conf")"
printf '[Peer]\nPublicKey = %s\nAllowedIPs = 192.0.2.0/24\n' "$(wg genkey | wg pubkey)" >"$RIG_DIR/more"
wg addconf "$WG_A" "$RIG_DIR/more"
is added "$(wg show "$WG_A" peers | wc -l)" 3

say "our own key as a peer is ignored"
wg set "$WG_A" peer "$PUB_A" allowed-ips 192.0.2.9/32
is own "$(wg show "$WG_A" peers | wc -l)" 3

say "a busy port is EADDRINUSE and nothing of that set is applied, down and up"
start "$A" "${RIG}y" "$DATAPATH"
for state in down up; do
  ip -n "$A" link set "${RIG}y" "$state"
  ip -n "$A" link set "$WG_A" up
  before=$(wg showconf "${RIG}y")
  ip netns exec "$A" socat -u UDP4-RECV:51888,reuseaddr=0 /dev/null &
  holder=$!
  PIDS+=("$holder")
  wait_for 10 eval "grep -q 51888 <(in_a ss -Hlun sport = 51888)" || fail "no holder of the port"
  is errno "$(printf 'set=1\nlisten_port=51888\nfwmark=77\n\n' | socat -t 5 - "UNIX-CONNECT:$SOCKETS/${RIG}y.sock")" "errno=-98"
  is unchanged "$(wg showconf "${RIG}y")" "$before"
  stop "$holder"
done
wg set "${RIG}y" listen-port 51888
grep -q 51888 <(in_a ss -Hlun sport = 51888) || fail "not listening on its port"
wg set "${RIG}y" listen-port 0
port=$(wg show "${RIG}y" listen-port)
[ "$port" != 0 ] && [ "$port" != 51888 ] || fail "listen-port 0 chose $port"
[ "$(in_a ss -Hlun "sport = $port" | wc -l)" = 2 ] || fail "not both families on port $port"

say "the mark is on the packets"
if command -v nft >/dev/null; then
  in_a nft -f - <<'NFT'
table inet t {
  counter marked { }
  chain c {
    type filter hook output priority 0
    meta mark 0x4d udp dport 9 counter name "marked"
  }
}
NFT
  wg set "${RIG}y" fwmark 0x4d private-key "$RIG_DIR/key" peer "$PUB_B" endpoint 10.200.0.2:9 allowed-ips 10.77.0.0/16 persistent-keepalive 1
  wait_for 10 eval "grep -q 'packets [1-9]' <(in_a nft list counter inet t marked)" || fail "no packet bears the mark"
fi

say "the socket's errors"
before=$(wg showconf "$WG_A")
is unknown "$(uapi 'set=1\nfrobnicate=1\n\n')" "errno=-22"
is "half bad" "$(uapi 'set=1\nlisten_port=50001\nprivate_key=00\n\n')" "errno=-22"
is "no request" "$(uapi 'hello=1\n\n' | grep -c '^errno=-')" 1
is "several" "$(uapi 'set=1\n\nset=1\n\nset=1\nx=1\n\n' | tr -d '\n')" "errno=0errno=0errno=-22"
is unchanged "$(wg showconf "$WG_A")" "$before"
is get "$(uapi 'get=1\n\n' | grep -c '^public_key=')" 3

say "ten thousand peers"
# Any 32 bytes are a public key: 43 digits and '=' are base64 of some, if the last digit leaves no bits over.
awk 'BEGIN { print "[Interface]\nListenPort = 51999"
  for (i = 0; i < 10000; i++)
    printf "[Peer]\nPublicKey = %042dA=\nAllowedIPs = 10.%d.%d.%d/32\n", i, i / 65536, i / 256 % 256, i % 256 }' >"$RIG_DIR/many"
wg setconf "$WG_A" "$RIG_DIR/many"
is many "$(wg show "$WG_A" peers | wc -l)" 10000
wg syncconf "$WG_A" "$RIG_DIR/many"
is "still many" "$(wg show "$WG_A" peers | wc -l)" 10000
wg setconf "$WG_A" "$RIG_DIR/conf"
say ok
