# SPDX-License-Identifier: MIT
# What a tunnel between two namespaces does: addresses of both families inside and outside, roaming, keys that change,
# ECN and DSCP, ICMP to local senders, fragments and padding, namespaces.
# vm: -i 2 -t 500 -a slub_debug=FZP
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours
two_namespaces; tunnel

field() { "$1" wg show wg0 "$2" | cut -f2; }
handshake_time() { field "$1" latest-handshakes; }
ping_a() { a ping -c1 -W3 -q "$@" >/dev/null; }
ping_b() { b ping -c1 -W3 -q "$@" >/dev/null; }

step "inside: both families, both ways; sizes around the MTU and the padding"
ping_a 10.9.0.2 || fail "IPv4"
ping_b fd09::1 || fail "IPv6"
for size in 0 1 20 1391 1392 1393 20000; do ping_a -s $size 10.9.0.2 || fail "IPv4, $size octets"; done
for size in 1372 1373 8000; do ping_b -s $size fd09::1 || fail "IPv6, $size octets"; done
a ip link set wg0 mtu 1401; ping_a -s 1373 -M "do" 10.9.0.2 || fail "odd MTU, full packet"
a ip link set wg0 mtu 8000; b ip link set wg0 mtu 8000; ping_a -s 7972 -M "do" 10.9.0.2 || fail "MTU of 8000: outer fragments"
a ip link set wg0 mtu 1420; b ip link set wg0 mtu 1420

step "padding: what goes over the wire is a multiple of 16, the MTU excepted"
b timeout 30 tcpdump -Z root -ni vb -c4 -Q in -l udp port 5002 > /tmp/lengths 2>/tmp/tcpdump.err & dump=$!
until_true 10 grep -q 'listening on' /tmp/tcpdump.err || fail tcpdump
for size in 0 1 500 1392; do ping_a -s $size 10.9.0.2; done
wait $dump
lengths=$(sed -n 's/.*length \([0-9]*\)$/\1/p' /tmp/lengths | tr '\n' ' ')
[ "$lengths" = "64 64 560 1452 " ] || fail "lengths on the wire: $lengths"

step "batches: a GSO packet goes in whole and out as one of UDP, and reaches the other side as one"
for side in a b; do $side sysctl -qw net.ipv4.tcp_min_tso_segs=40; done # as a fast processor's TCP does by itself
a nft -f - <<'NFT' || fail nft
table ip t {
	counter n_inner { }
	counter n_outer { }
	chain out {
		type filter hook output priority 0;
		oifname wg0 meta length > 3000 counter name n_inner
		oifname va udp dport 5002 meta length > 3000 counter name n_outer
	}
}
NFT
b nft -f - <<'NFT' || fail nft
table ip t {
	counter n_outer { }
	counter n_inner { }
	chain in {
		type filter hook prerouting priority -300;
		iifname vb udp dport 5002 meta length > 3000 counter name n_outer
		iifname wg0 meta length > 3000 counter name n_inner
	}
}
NFT
packets() { "$1" nft list counter ip t "$2" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
[ "$(tcp_kbit 1)" -ge 100 ] || fail "TCP in bursts"
for side in a b; do
	echo "$side: $(packets $side n_inner) merged packets inside, $(packets $side n_outer) outside"
	if [ $side = a ] || [[ $(uname -r) != 5.* ]]; then # the veth of 5.10 cuts them on the way to b
		[ "$(packets $side n_outer)" -ge 5 ] || fail "nothing was merged outside on side $side"
		[ "$(packets $side n_inner)" -ge 5 ] || fail "nothing was merged inside on side $side"
	fi
	$side nft delete table ip t; $side sysctl -qw net.ipv4.tcp_min_tso_segs=2
done

step "the tunnel's counters are those of the wire"
before=$(a wg show wg0 transfer | cut -f3); ping_a -s 500 10.9.0.2; after=$(a wg show wg0 transfer | cut -f3)
[ $((after - before)) = 560 ] || fail "a ping of 528 octets counted $((after - before))"

step "ECN is carried over, DSCP is not; handshakes are AF41"
a nft -f - <<'NFT' || fail nft
table ip t {
	counter n_ect0 { }
	counter n_dscp { }
	counter n_shake { }
	chain out {
		type filter hook output priority 0;
		oifname va udp dport 5002 ip ecn ect0 counter name n_ect0
		oifname va udp dport 5002 ip dscp af41 counter name n_shake
		oifname va udp dport 5002 ip dscp != { cs0, af41 } counter name n_dscp
	}
}
NFT
b nft -f - <<'NFT' || fail nft
table ip t {
	counter n_inner_ce { }
	chain pre {
		type filter hook prerouting priority -300;
		iifname vb udp dport 5002 ip ecn ect0 ip ecn set ce
		iifname wg0 ip ecn ce counter name n_inner_ce
	}
}
NFT
ping_a -Q 0xba 10.9.0.2 || fail "ping with TOS"
[ "$(packets a n_ect0)" -ge 1 ] || fail "ECT(0) inside was not shown outside"
[ "$(packets a n_dscp)" = 0 ] || fail "the DSCP inside was shown outside"
[ "$(packets b n_inner_ce)" -ge 1 ] || fail "CE outside was not carried in"
b nft delete table ip t
a wg set wg0 private-key <(wg genkey); a wg set wg0 private-key <(echo "$key_a")
until_true 12 ping_a 10.9.0.2 || fail "no new session"
[ "$(packets a n_shake)" -ge 1 ] || fail "the handshake was not AF41"

step "fwmark: on every packet to the peer, data and handshakes"
a nft 'add table ip t; add counter ip t n_marked; add counter ip t n_unmarked; add chain ip t out { type filter hook output priority 0; }
	add rule ip t out oifname va udp dport 5002 meta mark 0x1234 counter name n_marked accept
	add rule ip t out oifname va udp dport 5002 counter name n_unmarked'
a wg set wg0 fwmark 0x1234 private-key <(wg genkey); a wg set wg0 private-key <(echo "$key_a")
until_true 12 ping_a 10.9.0.2 || fail "no new session"
[ "$(packets a n_marked)" -ge 2 ] && [ "$(packets a n_unmarked)" = 0 ] || fail "$(packets a n_marked) marked, $(packets a n_unmarked) not"
a nft delete table ip t; a wg set wg0 fwmark 0

step "roaming: the peer answers to where the latest packet came from, and with the address it was sent to"
a ip addr add 192.0.2.77/24 dev va
a ip route change 192.0.2.0/24 dev va src 192.0.2.77
a wg set wg0 fwmark 5; a wg set wg0 fwmark 0    # forgets the source address in use
ping_a 10.9.0.2 || fail "from another address"
[ "$(field b endpoints)" = 192.0.2.77:5001 ] || fail "b has a at $(field b endpoints)"
a wg set wg0 listen-port 5077
ping_a 10.9.0.2 || fail "from another port"
[ "$(field b endpoints)" = 192.0.2.77:5077 ] || fail "b has a at $(field b endpoints)"
b ip addr add 192.0.2.99/24 dev vb
a wg set wg0 peer "$pub_b" endpoint 192.0.2.99:5002
ping_a 10.9.0.2 || fail "to another address"
[ "$(field a endpoints)" = 192.0.2.99:5002 ] || fail "b answered from $(field a endpoints)"
b ip addr del 192.0.2.99/24 dev vb
a wg set wg0 peer "$pub_b" endpoint 192.0.2.2:5002
ping_b 10.9.0.1; ping_a 10.9.0.2 || fail "after the sticky address went"

step "outside: IPv6"
a wg set wg0 peer "$pub_b" endpoint '[2001:db8::2]:5002'
ping_a 10.9.0.2 || fail "over IPv6"
[ "$(field b endpoints)" = '[2001:db8::1]:5077' ] || fail "b has a at $(field b endpoints)"
[ "$(tcp_kbit 1)" -ge 100 ] || fail "TCP over IPv6"
link_local=$(b ip -6 -o addr show dev vb scope link | sed 's/.*inet6 \([^/]*\).*/\1/')
a wg set wg0 peer "$pub_b" endpoint "[$link_local%va]:5002"
until_true 5 ping_a fd09::2 || fail "over link-local IPv6"
a wg set wg0 peer "$pub_b" endpoint 192.0.2.2:5002
ping_a 10.9.0.2 || fail "back to IPv4"

step "ICMP to local senders: no peer, no endpoint"
a ip route add 10.99.0.0/16 dev wg0
a ping -c1 -W2 10.99.0.1 | grep -q "Destination Host Unreachable" || fail "no ICMP where no peer is"
a ip -6 route add fd99::/16 dev wg0
a ping -c1 -W2 fd99::1 | grep -qi "Address unreachable" || fail "no ICMPv6 where no peer is"
a wg set wg0 peer "$(wg genkey | wg pubkey)" allowed-ips 10.98.0.0/16
a ip route add 10.98.0.0/16 dev wg0
a ping -c1 -W2 10.98.0.1 | grep -q "Destination Host Unreachable" || fail "no ICMP where no endpoint is"

step "a source that is not the peer's is dropped"
a ip addr add 10.9.0.50/32 dev wg0
errors=$(b cat /sys/class/net/wg0/statistics/rx_frame_errors)
! a ping -c1 -W1 -q -I 10.9.0.50 10.9.0.2 >/dev/null || fail "a foreign source was answered"
[ "$(b cat /sys/class/net/wg0/statistics/rx_frame_errors)" -gt "$errors" ] || fail "a foreign source was not counted"

step "keys: another private key ends the session, the right one makes a new one; so does the preshared key"
a wg set wg0 private-key <(wg genkey)
! a ping -c1 -W1 -q 10.9.0.2 >/dev/null || fail "a stranger was answered"
a wg set wg0 private-key <(echo "$key_a")
until_true 12 ping_a 10.9.0.2 || fail "no session with the right key"
first=$(handshake_time a)
a wg set wg0 private-key <(echo "$key_a"); ping_a 10.9.0.2 || fail "the same key again broke the session"
[ "$(handshake_time a)" = "$first" ] || fail "the same key again made a new session"
a wg set wg0 private-key <(echo "$key_b")
[ -z "$(a wg show wg0 peers | grep -F "$pub_b")" ] || fail "its own key is still its peer"
a wg set wg0 private-key <(echo "$key_a") peer "$pub_a" allowed-ips 10.97.0.0/16
[ -z "$(a wg show wg0 peers | grep -F "$pub_a")" ] || fail "it took its own key as a peer"

step "suspend: no key is left when the machine sleeps; afterwards there is a new session"
a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk") allowed-ips 10.9.0.2/32,fd09::2/128 endpoint 192.0.2.2:5002
until_true 12 ping_a 10.9.0.2 || fail "no session to begin with"
keypairs_left() { echo $(($(dmesg | grep -c 'keypair .* created') - $(dmesg | grep -c 'keypair .* destroyed'))); }
no_keypairs() { [ "$(keypairs_left)" = 0 ]; }
[ "$(keypairs_left)" -ge 2 ] || fail "$(keypairs_left) key pairs before"
first=$(dmesg | grep -c 'received a handshake response')
echo 1 > /sys/module/suspend/parameters/pm_test_delay 2>/dev/null
echo freezer > /sys/power/pm_test || fail "this kernel cannot rehearse suspend"
echo freeze > /sys/power/state || fail "suspend" # up to the freezing of tasks, and back
until_true 5 no_keypairs || fail "$(keypairs_left) key pairs are left after suspend"
until_true 12 ping_a 10.9.0.2 || fail "no session after suspend"
[ "$(dmesg | grep -c 'received a handshake response')" -gt "$first" ] || fail "no new handshake after suspend"

step "namespaces: a device that moves keeps its socket"
ip netns add c
a ip link set wg0 netns c
ip netns exec c ip addr add 10.9.0.1/24 dev wg0; ip netns exec c ip link set wg0 up
until_true 12 ip netns exec c ping -c1 -W1 -q 10.9.0.2 || fail "no way out of the other namespace"
a ss -Hlun | grep -q :5077 || fail "the socket is not where the device was made"
! ip netns exec c ss -Hlun | grep -q :5077 || fail "the socket moved along"
ip netns del a
until_true 10 sh -c '! ip netns exec c ping -c1 -W1 -q 10.9.0.2' || fail "it sends without its namespace"
ip netns exec c wg show wg0 >/dev/null || fail "the device cannot be asked"
! ip netns exec c wg set wg0 listen-port 7 2>/dev/null || fail "a port was set without the socket's namespace"
ip netns exec c ip link set wg0 down
! ip netns exec c ip link set wg0 up 2>/dev/null || fail "it came up without the socket's namespace"

step "teardown"
ip netns del b; ip netns del c
until_true 20 sh -c 'rmmod wireguard' || fail rmmod
expect_no_leaks
