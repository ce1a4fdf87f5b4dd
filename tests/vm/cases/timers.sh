# SPDX-License-Identifier: MIT
# The timers of the protocol, twenty times as fast: rekey after 120 s (6), reject after 180 s (9), keepalive after 10 s
# (0.5), handshake retries every 5 s (0.25) for 90 s (4.5), keys zeroed after 540 s (27).
# vm: -t 500 -a slub_debug=FZPU
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours time_scale=20
two_namespaces; tunnel
log() { dmesg | grep -c "$1"; }
wait_log() { until_true "$1" sh -c "[ \$(dmesg | grep -c \"$2\") -gt $3 ]"; }

step "a session that is used is renewed, without loss"
a ping -q -i 0.05 -c 400 10.9.0.2 > /tmp/ping.log || fail "the steady ping failed"
grep -q ' 0% packet loss' /tmp/ping.log || fail "rekeying lost packets: $(grep loss /tmp/ping.log)"
sessions=$(log "keypair .* created")
[ "$sessions" -ge 6 ] || fail "in 20 s (three rekey times) only $sessions key pairs were made"
# Only the initiator of a session renews it: every initiation of one side is a response of the other.
[ "$(log 'sending a handshake initiation')" -ge 3 ] || fail "nobody renewed"

step "one way only: the receiver says with a keepalive that it hears"
b nft -f - <<'NFT'
table ip t {
	chain in {
		type filter hook input priority 0;
		iifname wg0 drop
	}
}
NFT
a nft -f - <<'NFT'
table ip t {
	counter n_keepalive { }
	chain in {
		type filter hook input priority 0;
		iifname va udp dport 5001 udp length 40 counter name n_keepalive
	}
}
NFT
keepalives() { a nft list counter ip t n_keepalive | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
before=$(keepalives)
a ping -q -c1 -W1 10.9.0.2 >/dev/null
more_keepalives() { [ "$(keepalives)" -gt "$before" ]; }
until_true 5 more_keepalives || fail "no keepalive came"
b nft delete table ip t; a nft delete table ip t

step "nothing comes back: the sender tries a new handshake, and gives up after 90 s (4.5)"
a nft -f - <<'NFT'
table ip t {
	chain in {
		type filter hook input priority 0;
		iifname va udp dport 5001 drop
	}
}
NFT
before=$(log 'sending a handshake initiation to peer 1')
a ping -q -c1 -W1 10.9.0.2 >/dev/null
wait_log 10 'sending a handshake initiation to peer 1' "$before" || fail "no new handshake"
wait_log 20 'gave up after' 0 || fail "it never gave up"
tries=$(($(log 'sending a handshake initiation to peer 1') - before))
# 15 s until the first, then 90 s; never two within 5 s. A session that had to be renewed just then begins earlier.
[ $tries -ge 15 ] && [ $tries -le $(((15 + 90) / 5 + 1)) ] || fail "$tries handshakes in 15 s and 90 s"
a nft delete table ip t

step "it works again when the line does"
until_true 10 a ping -q -c1 -W1 10.9.0.2 || fail "no ping after the line came back"

step "persistent keepalive: every 20 s (1)"
a wg set wg0 peer "$pub_b" persistent-keepalive 20
before=$(a wg show wg0 transfer | cut -f3)
sleep 5
sent=$(($(a wg show wg0 transfer | cut -f3) - before))
[ $sent -ge 96 ] && [ $sent -le 1200 ] || fail "$sent octets of keepalives in 100 s (5)"
a wg set wg0 peer "$pub_b" persistent-keepalive off

step "keys that nobody used for 540 s (27) are zeroed"
before=$(log 'are zeroed')
wait_log 40 'are zeroed' "$((before + 1))" || fail "keys live for ever"
dmesg | tail -4
live=$(($(log 'keypair .* created') - $(log 'keypair .* destroyed')))
until_true 5 sh -c "[ \$(dmesg | grep -c 'keypair .* created') -eq \$(dmesg | grep -c 'keypair .* destroyed') ]" || fail "$live key pairs are left"

step "teardown"
ip netns del a; ip netns del b
until_true 20 sh -c 'rmmod wireguard' || fail rmmod
expect_no_leaks
