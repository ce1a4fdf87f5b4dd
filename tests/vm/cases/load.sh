# SPDX-License-Identifier: MIT
# Under load: a flood of initiations that were right once (their mac1 is) keeps the receiver busy; it answers with cookies,
# and an honest initiator gets through by the cookie that it was sent.
# vm: -t 500 -a slub_debug=FZPU
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours
two_namespaces; modprobe sch_netem
tunnel

step "an initiation is recorded"
a timeout 30 tcpdump -Z root -ni va -c1 -w /tmp/initiation.pcap 'udp dst port 5002 and udp[8] = 1' 2>/tmp/tcpdump.err & dump=$!
until_true 10 grep -q 'listening on' /tmp/tcpdump.err || fail tcpdump
a ping -q -c1 -W10 10.9.0.2 >/dev/null || fail ping
wait $dump
# The only packet of the file: its payload is the last 148 octets.
initiation=$(tail -c 148 /tmp/initiation.pcap | od -An -v -tx1 | tr -d ' \n' | sed 's/../\\x&/g')
[ ${#initiation} = $((148 * 4)) ] || fail "recorded ${#initiation}"

step "a flood of them, delivered in bursts"
a nft -f - <<'NFT' || fail nft
table ip t {
	counter n_cookies { }
	chain in {
		type filter hook input priority 0;
		iifname va udp sport 5002 udp length 72 counter name n_cookies
	}
}
NFT
cookies() { a nft list counter ip t n_cookies | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
a tc qdisc add dev va root netem slot 2500ms 2500ms limit 20000 || fail "netem slots"
flood() {
	while [ ! -e /tmp/enough ]; do
		for _ in {1..500}; do printf "$initiation" > /dev/udp/192.0.2.2/5002; done
	done
}
export initiation
for _ in 1 2; do a bash -c "$(declare -f flood); flood" & done
got_cookies() { [ "$(cookies)" -gt 20 ]; }
until_true 60 got_cookies || fail "no cookies under load: $(cookies)"

step "an honest handshake under load"
# Another key and back ends the session, not the acquaintance. An initiation that comes between two bursts finds no load:
# try until one was answered with a cookie.
shaken() { a ping -q -c1 -W8 10.9.0.2; }
cookie_taken() { dmesg | grep -q "received a cookie from peer"; }
for _ in {1..15}; do
	a wg set wg0 private-key <(wg genkey); a wg set wg0 private-key <(echo "$key_a")
	until_true 60 shaken || fail "no session under load"
	! cookie_taken || break
done
cookie_taken || fail "the initiator got no cookie"
touch /tmp/enough
wait
echo "$(cookies) cookies were sent"

step "teardown"
ip netns del a; ip netns del b
until_true 20 rmmod wireguard || fail rmmod
expect_no_leaks
