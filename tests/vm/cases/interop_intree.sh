# SPDX-License-Identifier: MIT
# Our module and the kernel's own, in two machines joined by a wire, each in both roles of the handshake; over both
# families, with a preshared key. The two modules cannot be in one kernel.
# vm: -t 500
# pair: ours intree
# needs: nc iperf3 jq
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
side=$1
modprobe virtio_pci; modprobe virtio_net || fail "no virtio_net"
until_true 10 ip link show eth0 || fail "no network card"
# Fixed keys: the two sides share nothing but this text.
key_ours=SAnZ7qbHeVCNCB4p1dmb+vRRS6vF1ikPtPWhQyZVfGA= key_intree=WJh6RpgEnTVHNwOLSxSB1dSzHUtFETEL8gkYlMYjpVE=
psk=QoNFwLAfgxDf5xPFJLUXO3tCkmTNJXK2xTyWsNwZ1lI=
pub_ours=$(echo $key_ours | wg pubkey) pub_intree=$(echo $key_intree | wg pubkey)
case $side in
ours) load_ours; me=1 you=2 key=$key_ours peer=$pub_intree ;;
intree) load_intree; me=2 you=1 key=$key_intree peer=$pub_ours ;;
esac
ip addr add 192.0.2.$me/24 dev eth0; ip addr add 2001:db8::$me/64 dev eth0 nodad; ip link set eth0 up
ip link add wg0 type wireguard || fail "no device"
wg set wg0 private-key <(echo $key) listen-port 5000 peer "$peer" preshared-key <(echo $psk) allowed-ips 10.9.0.$you/32,fd09::$you/128 endpoint 192.0.2.$you:5000
ip addr add 10.9.0.$me/24 dev wg0; ip addr add fd09::$me/64 dev wg0 nodad; ip link set wg0 up
ping_peer() { ping -c1 -W2 -q "$@" >/dev/null; }
shakes() { wg show wg0 latest-handshakes | cut -f2; }

until_true 120 ping_peer 192.0.2.$you || fail "the other machine does not answer"
if [ $side = ours ]; then
	step "we initiate"
	until_true 30 ping_peer 10.9.0.2 || fail "IPv4 through the tunnel"
	ping_peer fd09::2 || fail "IPv6 through the tunnel"
	for size in 0 1 100 1392 4000; do ping_peer -s $size 10.9.0.2 || fail "$size octets"; done
	dmesg | grep -q "received a handshake response" || fail "we did not initiate"
	step "they initiate: we forgot the session, and have no endpoint to start with"
	ip link set wg0 down
	wg set wg0 peer "$peer" remove
	wg set wg0 peer "$peer" preshared-key <(echo $psk) allowed-ips 10.9.0.2/32,fd09::2/128
	ip link set wg0 up; ip addr replace fd09::1/64 dev wg0 nodad # which went with the link
	until_true 60 sh -c 'dmesg | grep -q "sending a handshake response"' || fail "they did not initiate"
	until_true 30 ping_peer fd09::2 || fail "IPv6 after their handshake"
	step "over IPv6"
	wg set wg0 peer "$peer" endpoint '[2001:db8::2]:5000'
	until_true 30 ping_peer 10.9.0.2 || fail "over IPv6"
	step "TCP both ways"
	until_true 60 nc -z 10.9.0.2 5201 || fail "no iperf3 on the other side"
	for direction in "" -R; do
		timeout 40 iperf3 -c 10.9.0.2 -t 1 -J $direction > /tmp/iperf.json || fail "iperf3: $(jq -r .error /tmp/iperf.json)"
		kbit=$(jq '.end.sum_received.bits_per_second / 1e3 | floor' /tmp/iperf.json); echo "$kbit kbit/s"
		[ "$kbit" -ge 100 ] || fail "TCP $direction"
	done
	# The other side may stop.
	timeout 20 sh -c 'until echo finished | nc -N -w1 10.9.0.2 5202; do sleep 0.2; done'
	ip link del wg0
	until_true 20 rmmod wireguard || fail rmmod
	expect_no_leaks
else
	# Once the other side has initiated, this one keeps the tunnel busy, so that it starts again when the other forgets.
	first_shake() { [ "$(shakes)" != 0 ]; }
	until_true 150 first_shake || fail "the other side did not initiate"
	ping -q -i 0.5 10.9.0.1 >/dev/null 2>&1 &
	iperf3 -s -B 10.9.0.2 >/dev/null 2>&1 &
	timeout 220 nc -l -p 5202 | grep -q finished || fail "the other side never finished"
	[ "$(shakes)" != 0 ] || fail "no handshake"
fi
