# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# lib.sh: sourced by the test scripts inside the guest.
set -u
[ ! -e /root/settings ] || . /root/settings
fail() { echo "FAIL: $*"; dmesg | tail -20; exit 1; }
step() { echo "-- $* ($(cut -d' ' -f1 /proc/uptime))"; }
# To be signalled, a process is started with "ip netns exec" itself: $! of "a ... &" is a shell around it.
a() { ip netns exec a "$@"; }
b() { ip netns exec b "$@"; }

# until_true SECONDS COMMAND...: poll until it succeeds, every 0.1 s, or every POLL tenths: emulated, looking is work
until_true() {
	local tries=$(($1 * 10 / ${POLL:-1})); shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1)); [ $tries -gt 0 ] || return 1
		sleep "$(printf '%d.%d' $((${POLL:-1} / 10)) $((${POLL:-1} % 10)))"
	done
}

load_intree() {
	modprobe wireguard || fail "no in-tree module"
	[ "$(cat /sys/module/wireguard/version)" = 1.0.0 ] || fail "the module loaded is not the in-tree one"
}

# What either module needs; that some of it is built in is no harm.
load_needs() {
	local module
	for module in libchacha20poly1305 libcurve25519 libcurve25519-generic curve25519-x86_64 udp_tunnel ip6_udp_tunnel; do modprobe $module 2>/dev/null; done
}

# load_ours [PARAMETER=VALUE...]: our module and what it needs
load_ours() {
	load_needs
	insmod /root/wireguard.ko "$@" || fail "our module does not load"
	[ "$(cat /sys/module/wireguard/version)" = "$(modinfo -F version /root/wireguard.ko)" ] || fail "the module loaded is not ours"
	[ ! -w /sys/kernel/debug/dynamic_debug/control ] || echo 'module wireguard +p' > /sys/kernel/debug/dynamic_debug/control
}

# two namespaces, a and b, joined by a veth pair: 192.0.2.1 and .2, 2001:db8::1 and ::2
two_namespaces() {
	modprobe veth
	ip netns add a; ip netns add b
	ip link add va netns a type veth peer name vb netns b
	a ip addr add 192.0.2.1/24 dev va; b ip addr add 192.0.2.2/24 dev vb
	a ip addr add 2001:db8::1/64 dev va nodad; b ip addr add 2001:db8::2/64 dev vb nodad
	a ip link set lo up; b ip link set lo up
	a ip link set va up; b ip link set vb up
}

make_keys() {
	key_a=$(wg genkey); key_b=$(wg genkey); psk=$(wg genpsk)
	pub_a=$(echo "$key_a" | wg pubkey); pub_b=$(echo "$key_b" | wg pubkey)
}

# One end each of a tunnel 10.9.0.1 / fd09::1 to 10.9.0.2 / fd09::2 between the namespaces; the devices are wg0.
tunnel() { # tunnel [OUTER ADDRESS OF b]
	local outer=${1:-192.0.2.2}
	make_keys
	a ip link add wg0 type wireguard || fail "no device in a"
	b ip link add wg0 type wireguard || fail "no device in b"
	a wg set wg0 private-key <(echo "$key_a") listen-port 5001 peer "$pub_b" preshared-key <(echo "$psk") \
		allowed-ips 10.9.0.2/32,fd09::2/128 endpoint "$( [[ $outer == *:* ]] && echo "[$outer]" || echo "$outer" ):5002" || fail "wg set in a"
	b wg set wg0 private-key <(echo "$key_b") listen-port 5002 peer "$pub_a" preshared-key <(echo "$psk") \
		allowed-ips 10.9.0.1/32,fd09::1/128 || fail "wg set in b"
	a ip addr add 10.9.0.1/24 dev wg0; b ip addr add 10.9.0.2/24 dev wg0
	a ip addr add fd09::1/64 dev wg0 nodad; b ip addr add fd09::2/64 dev wg0 nodad
	a ip link set wg0 up || fail "up in a"
	b ip link set wg0 up || fail "up in b"
}

# One TCP transfer of iperf3 from a to b through the tunnel: received kbit/s
tcp_kbit() { # tcp_mbit SECONDS [iperf3 arguments]
	local seconds=$1 server; shift
	ip netns exec b iperf3 -s -1 -B 10.9.0.2 >/tmp/iperf-server.log 2>&1 & server=$!
	until_true 10 b sh -c 'ss -Hltn | grep -q :5201' || return 1
	a timeout $((seconds + 20)) iperf3 -c 10.9.0.2 -t "$seconds" -J "$@" > /tmp/iperf.json || { jq -r .error /tmp/iperf.json >&2; kill $server; return 1; }
	wait $server
	jq -r '.end.sum_received.bits_per_second / 1e3 | floor' /tmp/iperf.json
}

# scene NAME [VARIABLE=VALUE...]: a scene of tests/system, with the programs that came along (see `programs`)
scene() {
	local name=$1; shift
	env WGD_PATIENCE=5 WGD_POLL=0.3 WGD_BUILD=/root/wgd WGD_SOURCE=/root/wgd "$@" bash "/root/wgd/tests/system/$name.sh"
}

# Every peer and every key pair that was made must be gone, by the module's own account.
expect_no_leaks() {
	local kind created destroyed
	for kind in peer keypair; do
		created=$(dmesg | grep -c "wireguard:.* $kind [0-9]* created"); destroyed=$(dmesg | grep -c "wireguard: $kind [0-9]* destroyed")
		[ "$created" -gt 0 ] || fail "no $kind was made"
		[ "$created" = "$destroyed" ] || fail "$created ${kind}s made, $destroyed destroyed"
		echo "$created ${kind}s made and destroyed"
	done
}
