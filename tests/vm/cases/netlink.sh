# SPDX-License-Identifier: MIT
# Configuration: the error of every wrong request, a thousand peers with dumps in many messages, random requests from
# many sides while devices come and go, and removal of peers, devices and the module under traffic.
# vm: -t 280 -a slub_debug=FZP
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours
two_namespaces
slab() { awk -v name="$1" '$1 == name {print $2}' /proc/slabinfo; }

step "what is answered to what"
ip link add wg0 type wireguard
/root/netlink_fuzz check || fail "answers"
[ "$(wg show wg0 allowed-ips | cut -f2)" = "::/0 fd00::1/128" ] || fail "allowed IPs: $(wg show wg0 allowed-ips)"
ip link del wg0

step "a thousand peers: set, dump in many messages, a peer with five hundred prefixes, replaced and removed"
# The closing brackets of 32 octets in base64: any such text is a key.
awk -v n=1000 'BEGIN { print "[Interface]"; print "ListenPort = 7777"; for (i = 0; i < n; i++) {
	printf "[Peer]\nPublicKey = %06dAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nAllowedIPs = 10.%d.%d.0/24, fd00:%x::/32\n", i, i / 256, i % 256, i
	if (i == 500) { printf "AllowedIPs = "; for (j = 0; j < 500; j++) printf "%s172.16.%d.%d/32", j ? "," : "", j / 256, j % 256; print "" } } }' > /tmp/thousand.conf
ip link add wg0 type wireguard
wg setconf wg0 /tmp/thousand.conf || fail "setconf of a thousand peers"
[ "$(wg show wg0 peers | wc -l)" = 1000 ] || fail "$(wg show wg0 peers | wc -l) peers are shown"
[ "$(wg show wg0 allowed-ips | tr ' ' '\n' | grep -c /)" = 2500 ] || fail "$(wg show wg0 allowed-ips | tr ' ' '\n' | grep -c /) prefixes are shown"
wg showconf wg0 > /tmp/shown1; ip link set wg0 up
wg syncconf wg0 /tmp/thousand.conf && wg showconf wg0 > /tmp/shown2
diff -q /tmp/shown1 /tmp/shown2 >/dev/null || fail "syncconf of the same changed something"
wg set wg0 peer "000007AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" allowed-ips 10.0.8.0/24
[ "$(wg show wg0 allowed-ips | grep ^000008 | cut -f2)" = "fd00:8::/32" ] || fail "a prefix did not move to the other peer"
echo "[Interface]" > /tmp/nobody.conf; wg setconf wg0 /tmp/nobody.conf || fail "removing all"
[ -z "$(wg show wg0 peers)" ] || fail "peers are left"
ip link del wg0

step "random requests from four threads, devices coming and going"
echo 'module wireguard -p' > /sys/kernel/debug/dynamic_debug/control
for i in 0 1 2; do ip link add f$i type wireguard; ip link set f$i up; done
seed=$(date +%s)
/root/netlink_fuzz fuzz ${WGD_LONG:+30}7 "$seed" f0 f1 f2 f3 & fuzzer=$!
while kill -0 $fuzzer 2>/dev/null; do
	ip link del f2; ip link add f3 type wireguard; ip link set f1 down; wg show all dump >/dev/null 2>&1
	ip link add f2 type wireguard; ip link set f2 up; ip link set f3 up; ip link set f1 up; ip link del f3
done
wait $fuzzer || fail "the fuzzer, seed $seed"
for i in 0 1 2; do ip link del f$i; done
echo 'module wireguard +p' > /sys/kernel/debug/dynamic_debug/control
until_true 20 rmmod wireguard || fail rmmod
[ -z "$(slab wg_peer)$(slab wg_prefix_node)" ] || fail "slabs are left"

step "peers, devices and the module removed under traffic"
load_ours time_scale=20
for round in 1 2 ${WGD_LONG:+3 4 5 6 7 8 9 10}; do
	tunnel
	a ping -q -c1 -W5 10.9.0.2 >/dev/null || fail "round $round: ping"
	ip netns exec b iperf3 -s -1 -B 10.9.0.2 >/dev/null 2>&1 & server=$!
	until_true 10 b sh -c 'ss -Hltn | grep -q :5201' || fail "iperf3"
	ip netns exec a iperf3 -c 10.9.0.2 -P3 -t 60 >/dev/null 2>&1 & client=$!
	ip netns exec a ping -q -f -c 100000 10.9.0.2 >/dev/null 2>&1 & flood=$!
	received() { [ "$(b cat /sys/class/net/wg0/statistics/rx_packets)" -gt 200 ]; }
	until_true 20 received || fail "round $round: no traffic"
	for i in 1 2 3 ${WGD_LONG:+4 5}; do
		b wg set wg0 peer "$pub_a" remove
		b wg set wg0 peer "$pub_a" preshared-key <(echo "$psk") allowed-ips 10.9.0.1/32,fd09::1/128
		a wg set wg0 peer "$pub_b" remove
		a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk") allowed-ips 10.9.0.2/32 endpoint 192.0.2.2:5002
		sleep 0.2 # of traffic in between
	done
	case $round in
	1) a ip link del wg0 & b ip link del wg0; wait $! ;;
	*) rmmod wireguard || fail "rmmod under traffic"; load_ours time_scale=20 ;;
	esac
	kill $client $flood $server 2>/dev/null; wait $client $flood $server 2>/dev/null
done
ip netns del a; ip netns del b
until_true 20 rmmod wireguard || fail rmmod
dmesg | grep -c "peer .* created"
