#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# The rig of the datapath's root tests, sourced by each: two network namespaces A and B joined by a veth pair, with
# addresses of both families, where tunnels between programs are set up with the stock tools. Everything bears the
# process id and goes away with the test, whatever way it ends.
set -euo pipefail

need() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; for log in "$RIG_DIR"/*.log; do [ -s "$log" ] && { echo "--- $log"; tail -n 30 "$log"; }; done; exit 1; }
say() { echo "--- $*"; }

[ "$(id -u)" = 0 ] || need "root"
[ -c /dev/net/tun ] || need "/dev/net/tun"
for program in ip wg ping socat sha256sum; do command -v "$program" >/dev/null || need "the program $program"; done
DATAPATH=${WGD_BUILD:?}/bin/wgd-datapath
# A process that nobody may attach to cannot be searched for leaks at its end; the unit tests are.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
[ -x "$DATAPATH" ] || need "$DATAPATH (build it first)"

RIG=wgdt$$
A=$RIG-a
B=$RIG-b
RIG_DIR=$(mktemp -d "/tmp/$RIG.XXXXXX")
SOCKETS=/var/run/wireguard
PIDS=()

rig_cleanup() {
  local status=$?
  trap - EXIT
  # In a sanitizer's build; what it finds does not end the process.
  if grep -sqE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:' "$RIG_DIR"/*.log; then
    grep -sE -A 25 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer|runtime error:' "$RIG_DIR"/*.log | sed -n 1,80p
    status=1
  fi
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
  for socket in "$SOCKETS/$RIG"*.sock; do [ -e "$socket" ] && rm -f "$socket"; done # ends background ones
  for ns in "$A" "$B" "$RIG-c"; do ip netns del "$ns" 2>/dev/null || true; done
  rm -rf "$RIG_DIR"
  exit "$status"
}
trap rig_cleanup EXIT
trap 'exit 1' INT TERM

ip netns add "$A" 2>/dev/null || need "network namespaces"
ip netns add "$B"
ip -n "$A" link add under type veth peer name under netns "$B"
ip -n "$A" address add 10.200.0.1/24 dev under
ip -n "$B" address add 10.200.0.2/24 dev under
ip -n "$A" address add fd00:200::1/64 dev under nodad
ip -n "$B" address add fd00:200::2/64 dev under nodad
for ns in "$A" "$B"; do
  ip -n "$ns" link set lo up
  ip -n "$ns" link set under up
done

in_a() { ip netns exec "$A" "$@"; }
in_b() { ip netns exec "$B" "$@"; }

# wait_for SECONDS COMMAND...: until it succeeds. For what offers no event to wait for.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

# start NAMESPACE INTERFACE PROGRAM [ENV=VALUE...]: in the foreground of a background job, until its socket answers.
start() {
  local ns=$1 interface=$2 program=$3
  shift 3
  local variables=(WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error "$@")
  ip netns exec "$ns" env "${variables[@]}" "$program" "$interface" >"$RIG_DIR/$interface.log" 2>&1 &
  PIDS+=($!)
  # shellcheck disable=SC2034 # for the scripts that source this
  STARTED=$!
  wait_for 60 wg show "$interface" || fail "$program $interface does not serve its socket"
}

stop() {
  kill "$1"
  wait "$1" 2>/dev/null || true
}

KEY_A=$(wg genkey)
KEY_B=$(wg genkey)
PUB_A=$(wg pubkey <<<"$KEY_A")
PUB_B=$(wg pubkey <<<"$KEY_B")
PSK=$(wg genpsk)
WG_A=${RIG}a
WG_B=${RIG}b

# connect FAMILY(4|6) PSK(yes|no): configures both ends with stock wg, A knows B's endpoint, B learns A's.
connect() {
  local endpoint=10.200.0.2:51822 psk=()
  [ "$1" = 6 ] && endpoint='[fd00:200::2]:51822'
  if [ "$2" = yes ]; then
    echo "$PSK" >"$RIG_DIR/psk"
    psk=(preshared-key "$RIG_DIR/psk")
  fi
  wg set "$WG_A" listen-port 51821 private-key /dev/stdin peer "$PUB_B" "${psk[@]}" endpoint "$endpoint" \
    allowed-ips 10.201.0.2/32,fd00:201::2/128 <<<"$KEY_A"
  wg set "$WG_B" listen-port 51822 private-key /dev/stdin peer "$PUB_A" "${psk[@]}" \
    allowed-ips 10.201.0.1/32,fd00:201::1/128 <<<"$KEY_B"
  ip -n "$A" address add 10.201.0.1/24 dev "$WG_A"
  ip -n "$B" address add 10.201.0.2/24 dev "$WG_B"
  ip -n "$A" address add fd00:201::1/64 dev "$WG_A" nodad
  ip -n "$B" address add fd00:201::2/64 dev "$WG_B" nodad
  ip -n "$A" link set "$WG_A" up
  ip -n "$B" link set "$WG_B" up
}

# Patient enough for an initiation that came before the other end had its sockets, and the next one.
ping_ok() { # NAMESPACE ADDRESS
  ip netns exec "$1" ping -q -n -c 3 -i 0.1 -W 15 "$2" >"$RIG_DIR/ping.log" 2>&1 || fail "no answer from $2 in $1"
}

head -c 12000000 /dev/urandom >"$RIG_DIR/data"
DATA_SUM=$(sha256sum <"$RIG_DIR/data")

# transfer FROM_NS TO_NS ADDRESS: 12 MB over TCP, compared byte for byte. ADDRESS is TO_NS's.
transfer() {
  local family=TCP4 address=$3
  [[ $address == *:* ]] && family=TCP6 address="[$address]"
  ip netns exec "$2" timeout 60 socat -u "$family-LISTEN:7000,reuseaddr" "CREATE:$RIG_DIR/copy" &
  local server=$!
  # socat's connect retries until the listener is there.
  ip netns exec "$1" timeout 60 socat -u "OPEN:$RIG_DIR/data" "$family:$address:7000,retry=100,interval=0.05" ||
    fail "transfer to $address was cut"
  wait "$server" || fail "transfer to $address did not end"
  [ "$(sha256sum <"$RIG_DIR/copy")" = "$DATA_SUM" ] || fail "transfer to $address damaged the data"
  rm -f "$RIG_DIR/copy"
}
