# SPDX-License-Identifier: MIT
# compare.sh: in the guest: our module beside the kernel's own, in one boot, in turns; and a third time ours with
# batch=1, which merges nothing: what batching gains is the difference. Two namespaces joined by veth, both ends the same
# module. Emulated, so only the ratios mean something.
#
# tcp1 and tcp4 are TCP as it comes. At an emulated processor's speed TCP paces itself to bursts of two segments, which a
# real one's does not: the -bulk lines let it send bursts as there (tcp_min_tso_segs).
# vm: -t 3000 -m 1536
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
rounds=${WGD_ROUNDS:-3} seconds=${WGD_SECONDS:-4}

cpu_busy() { awk '/^cpu /{print $2 + $3 + $4 + $7 + $8}' /proc/stat; } # in ticks of 10 ms

# One TCP transfer: kbit/s and CPU seconds per GB, of both ends
tcp() { # tcp NAME iperf3-arguments
	local name=$1 before after kbit bytes; shift
	[ -z "${WGD_PROFILE:-}" ] || /root/profile $((seconds + 3)) "$WGD_PROFILE" | sed "s/^PROFILE/PROFILE $module $name:/" &
	before=$(cpu_busy)
	kbit=$(tcp_kbit "$seconds" "$@") || fail "iperf3"
	after=$(cpu_busy); wait
	bytes=$(jq .end.sum_received.bytes /tmp/iperf.json)
	echo "RESULT $module $name-kbit/s $kbit"
	echo "RESULT $module $name-cpu-s/GB $(awk -v t=$((after - before)) -v b="$bytes" 'BEGIN{printf "%.2f", t / 100 / (b / 1e9)}')"
}

# Small datagrams one way, as fast as one sender can: packets received a second
small() {
	local server before after
	b iperf3 -s -1 -B 10.9.0.2 >/dev/null 2>&1 & server=$!
	until_true 20 b sh -c 'ss -Hltn | grep -q :5201'
	before=$(b cat /sys/class/net/wg0/statistics/rx_packets)
	a timeout $((seconds + 30)) iperf3 -u -c 10.9.0.2 -b 0 -l 64 -t "$seconds" >/dev/null 2>&1
	after=$(b cat /sys/class/net/wg0/statistics/rx_packets)
	kill $server 2>/dev/null; wait $server
	echo "RESULT $module small-packets/s $(((after - before) / seconds))"
}

# Handshakes: the initiator forgets the session (down, up) and pings, again and again
handshakes() {
	local i started ended count=20
	started=$(cut -d' ' -f1 /proc/uptime)
	for ((i = 0; i < count; i++)); do
		a wg set wg0 peer "$pub_b" remove
		a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk") allowed-ips 10.9.0.2/32 endpoint 192.0.2.2:5002
		a ping -q -c1 -W5 10.9.0.2 >/dev/null || fail "handshake $i"
	done
	ended=$(cut -d' ' -f1 /proc/uptime)
	echo "RESULT $module handshake-rounds/s $(awk -v a="$started" -v b="$ended" -v n=$count 'BEGIN{printf "%.2f", n / (b - a)}')"
}

load_single() { load_ours batch=1; }
bursts_of() { a sysctl -qw net.ipv4.tcp_min_tso_segs="$1"; b sysctl -qw net.ipv4.tcp_min_tso_segs="$1"; }

for ((round = 1; round <= rounds; round++)); do
	for module in ${WGD_MODULES:-intree ours single}; do
		"load_$module"
		[ ! -w /sys/kernel/debug/dynamic_debug/control ] || echo 'module wireguard -p' > /sys/kernel/debug/dynamic_debug/control
		two_namespaces; tunnel
		until_true 10 a ping -q -c1 -W2 10.9.0.2 || fail "$module: no ping"
		tcp tcp1; tcp tcp4 -P4
		bursts_of 40; tcp tcp1-bulk; tcp tcp4-bulk -P4; bursts_of 2
		[ $module = single ] || small
		echo "RESULT $module ping-ms $(a ping -q -c 50 -i 0.02 10.9.0.2 | sed -n 's#.*= [^/]*/\([^/]*\)/.*#\1#p')"
		[ $module = single ] || handshakes
		ip netns del a; ip netns del b
		until_true 20 rmmod wireguard || fail rmmod
	done
done
