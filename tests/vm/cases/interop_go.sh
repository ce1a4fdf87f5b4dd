# SPDX-License-Identifier: MIT
# Our module and wireguard-go, each in both roles of the handshake, with and without a preshared key.
# vm: -i 2 -t 500
# needs: wireguard-go
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours
modprobe tun; mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
two_namespaces; make_keys
a ip link add wg0 type wireguard
a wg set wg0 private-key <(echo "$key_a") listen-port 5001 peer "$pub_b" allowed-ips 10.9.0.2/32,fd09::2/128 endpoint 192.0.2.2:5002
a ip addr add 10.9.0.1/24 dev wg0; a ip addr add fd09::1/64 dev wg0 nodad; a ip link set wg0 up

go_up() {
	b wireguard-go wgo >/tmp/go.log 2>&1 || { cat /tmp/go.log; fail "wireguard-go"; }
	b wg set wgo private-key <(echo "$key_b") listen-port 5002 peer "$pub_a" allowed-ips 10.9.0.1/32,fd09::1/128 endpoint 192.0.2.1:5001 ${1:+preshared-key <(echo "$1")}
	b ip addr add 10.9.0.2/24 dev wgo; b ip addr add fd09::2/64 dev wgo nodad; b ip link set wgo up mtu 1420
}

for with in "" "$psk"; do
	a wg set wg0 peer "$pub_b" preshared-key <(echo "${with:-$(head -c32 /dev/zero | base64)}")
	# Down and up: the session with the one before ends. IPv6 addresses go with it.
	a ip link set wg0 down; a ip link set wg0 up; a ip addr replace fd09::1/64 dev wg0 nodad
	step "we initiate${with:+, preshared key}"
	go_up "$with"
	a ping -q -c3 -i0.2 -W10 10.9.0.2 || fail "ping from us"
	step "they initiate${with:+, preshared key}"
	b ip link del wgo; a ip link set wg0 down; a ip link set wg0 up; a ip addr add fd09::1/64 dev wg0 nodad
	go_up "$with"
	b ping -q -c3 -i0.2 -W10 fd09::1 || fail "ping from wireguard-go"
	[ -n "$with" ] || b ip link del wgo
done
step "TCP both ways"
[ "$(tcp_kbit 1)" -ge 100 ] || fail "TCP to wireguard-go"
[ "$(tcp_kbit 1 -R)" -ge 100 ] || fail "TCP from wireguard-go"
b ip link del wgo; ip netns del a; ip netns del b
until_true 20 sh -c 'rmmod wireguard' || fail rmmod
expect_no_leaks
