# SPDX-License-Identifier: MIT
# Under load (WG 5.4.7): a flood of handshake initiations whose mac1 is right is answered with cookies and nothing else; an
# honest peer gets through it with the cookie it was given; afterwards all is as before. Then many peers (a thousand in the
# long run) that all shake hands. Slab counts before and after.
# vm: -t 900 -a slub_debug=FZP
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours
objects() { awk '/^wg_|^wireguard/ { n += $2 } END { print n + 0 }' /proc/slabinfo; }
log() { dmesg | grep -c "$1"; }
before_all=$(objects)
two_namespaces; tunnel
until_true 20 a ping -q -c1 -W2 10.9.0.2 || fail "no session"

step "an initiation to flood with: right mac1, from somebody b does not know"
a ip link add wg9 type wireguard
a wg set wg9 private-key <(wg genkey) peer "$pub_b" allowed-ips 10.88.0.2/32 endpoint 127.0.0.1:6000
a timeout 30 socat -u -b 2048 UDP4-RECVFROM:6000,bind=127.0.0.1 CREATE:/tmp/initiation & catcher=$!
until_true 20 a sh -c 'ss -Hlun | grep -q :6000' || fail socat
a ip addr add 10.88.0.1/24 dev wg9; a ip link set wg9 up
a ping -q -c1 -W1 10.88.0.2 >/dev/null
wait $catcher; a ip link del wg9
[ "$(stat -c %s /tmp/initiation)" = 148 ] || fail "caught $(stat -c %s /tmp/initiation) octets"

step "at rest it is opened, belongs to nobody, and gets no answer"
a /root/flood /tmp/initiation 192.0.2.2 5002 1 1 200 | tee /tmp/flood
grep -q 'responses 0 cookies 0 data 0' /tmp/flood || fail "a stranger was answered"

step "flooded: cookies, nothing else; an honest peer gets through"
seconds=16; [ -z "${WGD_LONG:-}" ] || seconds=300
ip netns exec a /root/flood /tmp/initiation 192.0.2.2 5002 $seconds 2000 > /tmp/flood & flood=$!
through() { a ping -q -c1 -W2 10.9.0.2; }
# A new peer each time, that knows no cookie and no session, until one was asked for a cookie: b is under load by then.
through_by_cookie() {
	a wg set wg0 peer "$pub_b" remove
	a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk") allowed-ips 10.9.0.2/32,fd09::2/128 endpoint 192.0.2.2:5002
	until_true 13 through || fail "an honest peer did not get through: $(cat /tmp/flood)"
	[ "$(log 'received a cookie from peer')" -ge 1 ]
}
until_true 10 through_by_cookie || fail "it got through without a cookie: b was not under load"
kill -0 $flood 2>/dev/null || fail "the flood had ended by then"
wait $flood; cat /tmp/flood
grep -q 'responses 0 ' /tmp/flood || fail "a stranger got a response"
[ "$(sed -n 's/.*cookies \([0-9]*\) .*/\1/p' /tmp/flood)" -ge 100 ] || fail "hardly a cookie was sent"

step "after it: no cookie is asked for any more"
sleep 1.5 # under load for a second after the last of it
cookies=$(log 'received a cookie from peer')
a wg set wg0 peer "$pub_b" remove
a wg set wg0 peer "$pub_b" preshared-key <(echo "$psk") allowed-ips 10.9.0.2/32,fd09::2/128 endpoint 192.0.2.2:5002
until_true 20 through || fail "no session afterwards"
[ "$(log 'received a cookie from peer')" = "$cookies" ] || fail "a cookie was asked for at rest"
a ip link del wg0; b ip link del wg0

count=8; [ -z "${WGD_LONG:-}" ] || count=1000
step "$count peers that all shake hands with one"
echo 'module wireguard -p' > /sys/kernel/debug/dynamic_debug/control
b ip link add wg0 type wireguard
b wg set wg0 private-key <(echo "$key_b") listen-port 5002
# One device of a plays them all, one after the other: its key is changed, the session of before goes with it.
a ip link add wg0 type wireguard; a ip addr add 10.9.0.1/32 dev wg0; a ip link set wg0 up
a ip route add 10.9.0.2/32 dev wg0; b ip addr add 10.9.0.2/32 dev wg0; b ip link set wg0 up; b ip route add 10.9.0.1/32 dev wg0
umask 077; for ((i = 0; i < count; i++)); do wg genkey; done > /tmp/keys
{ while read -r key; do printf '[Peer]\nPublicKey = %s\n' "$(wg pubkey <<< "$key")"; done < /tmp/keys; } > /tmp/peers
b wg addconf wg0 /tmp/peers || fail "addconf"
shaken=0
while read -r key; do
	b wg set wg0 peer "$(wg pubkey <<< "$key")" allowed-ips 10.9.0.1/32 # moves from the one before
	a wg set wg0 private-key <(echo "$key") peer "$pub_b" allowed-ips 10.9.0.2/32 endpoint 192.0.2.2:5002
	until_true 20 through || fail "peer $shaken of $count"
	shaken=$((shaken + 1))
done < /tmp/keys
[ "$(b wg show wg0 latest-handshakes | awk '$2 > 0' | wc -l)" = "$count" ] || fail "b knows of fewer handshakes than $count"
a ip link del wg0; b ip link del wg0

step "slabs before and after"
ip netns del a; ip netns del b
none_left() { [ "$(objects)" -le "$before_all" ]; } # frees wait for RCU
until_true 30 none_left || { grep ^wg_ /proc/slabinfo; fail "$(objects) objects are left, $before_all were there"; }
until_true 20 rmmod wireguard || fail rmmod
