# SPDX-License-Identifier: MIT
# wgd-datapath and a kernel module, each in both roles of the handshake, with and without a preshared key, both families
# outside: first the kernel's own module, then ours, in one boot. With ours the clock runs forty times as fast at its
# end, so that a steady stream is re-keyed every 3 s by us alone, and answered by the other.
# vm: -i 2 -t 900
# programs: wgd
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
modprobe tun || fail "no tun"
datapath=

# b's end is wgd-datapath. It starts anew for each role: no session, and the key and peer that are asked for.
datapath_up() { # ENDPOINT-OPTION PRESHARED-KEY
	ip netns exec b /root/wgd/bin/wgd-datapath --foreground wgd0 >>/tmp/datapath.log 2>&1 & datapath=$!
	until_true 20 b wg show wgd0 || { cat /tmp/datapath.log; fail "wgd-datapath does not start"; }
	b wg set wgd0 private-key <(echo "$key_b") listen-port 5002 peer "$pub_a" allowed-ips 10.9.0.1/32,fd09::1/128 $1 preshared-key <(echo "$2") || fail "wg set"
	b ip addr add 10.9.0.2/24 dev wgd0; b ip addr add fd09::2/64 dev wgd0 nodad; b ip link set wgd0 up mtu 1420
}
datapath_down() { kill $datapath; wait $datapath; ! b ip link show wgd0 2>/dev/null || fail "wgd-datapath left its link"; }
kernel_up() { # ENDPOINT-OPTION PRESHARED-KEY
	a ip link add wg0 type wireguard || fail "no device"
	a wg set wg0 private-key <(echo "$key_a") listen-port 5001 peer "$pub_b" allowed-ips 10.9.0.2/32,fd09::2/128 $1 preshared-key <(echo "$2") || fail "wg set"
	a ip addr add 10.9.0.1/24 dev wg0; a ip addr add fd09::1/64 dev wg0 nodad; a ip link set wg0 up
}
shook_hands() { [ "$("$1" wg show "$2" latest-handshakes | cut -f2)" != 0 ]; }
both_ways() {
	a ping -q -c2 -i0.2 -W10 10.9.0.2 >/dev/null || fail "$module: IPv4"
	b ping -q -c2 -i0.2 -W10 fd09::1 >/dev/null || fail "$module: IPv6"
	a ping -q -c1 -W10 -s 4000 10.9.0.2 >/dev/null || fail "$module: fragments inside"
	shook_hands a wg0 && shook_hands b wgd0 || fail "$module: one side knows of no handshake"
}
zero=$(head -c32 /dev/zero | base64)

for module in intree ours; do
	"load_$module"
	two_namespaces; make_keys
	step "$module: the kernel initiates, over IPv4, no preshared key"
	datapath_up "" "$zero"; kernel_up "endpoint 192.0.2.2:5002" "$zero"
	both_ways
	a ip link del wg0; datapath_down
	step "$module: wgd-datapath initiates, over IPv6, with a preshared key"
	kernel_up "" "$psk"; datapath_up "endpoint [2001:db8::1]:5001" "$psk"
	b ping -q -c1 -W10 10.9.0.1 >/dev/null || fail "$module: ping from wgd-datapath"
	both_ways
	[ "$(a wg show wg0 endpoints | cut -f2)" = "[2001:db8::2]:5002" ] || fail "$module: it did not learn where the other is"
	step "$module: TCP both ways"
	[ "$(tcp_kbit 1)" -ge 100 ] || fail "TCP to wgd-datapath"
	[ "$(tcp_kbit 1 -R)" -ge 100 ] || fail "TCP from wgd-datapath"
	step "$module: another preshared key on one side: nothing goes; the same on the other: all goes"
	a ip link set wg0 down # ends the session
	psk2=$(wg genpsk); a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk2")
	a ip link set wg0 up; a ip addr replace fd09::1/64 dev wg0 nodad
	! a ping -q -c1 -W2 10.9.0.2 >/dev/null || fail "$module: a wrong preshared key was good enough"
	b wg set wgd0 peer "$pub_a" preshared-key <(echo "$psk2")
	until_true 15 a ping -q -c1 -W2 10.9.0.2 || fail "$module: the right preshared key was not"
	a ip link del wg0; datapath_down; ip netns del a; ip netns del b
	until_true 20 rmmod wireguard || fail rmmod
done
expect_no_leaks

step "ours, forty times as fast: rekeying under a stream, wgd-datapath answering"
dmesg -c > /dev/null; load_ours time_scale=40
two_namespaces; make_keys
datapath_up "" "$psk"; kernel_up "endpoint 192.0.2.2:5002" "$psk"
until_true 20 a ping -q -c1 -W2 10.9.0.2 || fail "no session"
renewals() { dmesg | grep -c 'received a handshake response'; }
ping_count=0
# Until it was re-keyed three times; what is lost on the way is counted.
ip netns exec a ping -i 0.1 -w 100 10.9.0.2 >/tmp/stream.log 2>&1 & stream=$!
renewed_thrice() { [ "$(renewals)" -ge 4 ]; }
until_true 90 renewed_thrice || fail "only $(renewals) handshakes"
kill -INT $stream; wait $stream
ping_count=$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' /tmp/stream.log)
echo "$(renewals) handshakes, pings sent - received: $ping_count"
[ $((ping_count)) -le 1 ] || fail "re-keying lost packets: $ping_count"
a ip link del wg0; datapath_down; ip netns del a; ip netns del b
until_true 20 rmmod wireguard || fail rmmod
expect_no_leaks
