# SPDX-License-Identifier: MIT
# The timers of the protocol, forty times as fast: rekey after 120 s (3), reject after 180 s (4.5), keepalive after 10 s
# (0.25), handshake retries every 5 s (0.125) for 90 s (2.25), keys zeroed after 540 s (13.5).
#
# A busy machine stops the guest for seconds, so nothing here is counted within a time: each step waits for what has to
# happen, and judges by the kernel's own time stamps that it did not happen too early. That nothing is too late is in the
# waiting: its limits are many times what an idle machine needs.
# vm: -i 2 -t 900 -a slub_debug=FZP
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
scale=40 POLL=8
load_ours time_scale=$scale
two_namespaces; tunnel
log() { dmesg | grep -c "$1"; }
wait_log() { until_true "$1" sh -c "[ \$(dmesg | grep -c \"$2\") -gt $3 ]"; } # SECONDS TEXT MORE-THAN
stamps() { dmesg | sed -n "s/^\[ *\([0-9.]*\)\] .*$1.*/\1/p"; } # TEXT: when it was logged
# apart NAME SECONDS: the time stamps on stdin are at least that many of the protocol's seconds apart; a tick of 4 ms off
apart() {
	awk -v name="$1" -v least="$2" -v scale=$scale '
		NR > 1 && ($1 - last) < least / scale - 0.004 { print name ": only " ($1 - last) * scale " s apart"; bad = 1 }
		{ last = $1 } END { if (!bad) print name ": " NR " times, never within " least " s"; exit bad }'
}

step "a session that is used is renewed, without loss"
ip netns exec a ping -i 0.2 10.9.0.2 > /tmp/ping.log & stream=$!
wait_log 120 'received a handshake response' 3 || fail "$(log 'received a handshake response') handshakes"
sleep 0.5 # what is under way arrives
kill -INT $stream; wait $stream
grep 'packet loss' /tmp/ping.log
lost=$(($(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' /tmp/ping.log)))
[ $lost -le 1 ] || fail "rekeying lost $lost packets" # the last one may be on its way
stamps 'received a handshake response' | apart "renewals" 120 || fail "a session was renewed too early"
[ "$(log 'sending a handshake initiation to peer 2')" = 0 ] || fail "the responder renewed as well"

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
# A response to a handshake that happens to be due says as much, and takes the keepalive's place: so, again.
heard() { a ping -q -c1 -W1 10.9.0.2 >/dev/null; [ "$(keepalives)" -gt 0 ]; }
until_true 30 heard || fail "no keepalive came"
b nft delete table ip t; a nft delete table ip t

step "nothing comes back: the sender tries new handshakes, every 5 s, and gives up after 90 s"
until_true 30 a ping -q -c1 -W1 10.9.0.2 || fail "no session to begin with"
a nft -f - <<'NFT'
table ip t {
	chain in {
		type filter hook input priority 0;
		iifname va udp dport 5001 drop
	}
}
NFT
first=$(log 'sending a handshake initiation to peer 1') given_up=$(log 'gave up after')
a ping -q -c1 -W1 10.9.0.2 >/dev/null
wait_log 60 'sending a handshake initiation to peer 1' "$first" || fail "no new handshake"
wait_log 120 'gave up after' "$given_up" || fail "it never gave up"
# The first is not one again: 90 / 5.
attempts=$(dmesg | sed -n 's/.*peer 1 gave up after \([0-9]*\) attempts.*/\1/p' | tail -1)
[ "$attempts" = 19 ] || fail "it gave up after $attempts attempts"
stamps 'sending a handshake initiation to peer 1' | tail -n +$((first + 1)) > /tmp/tries
apart "attempts" 5 < /tmp/tries || fail "attempts came too fast"
[ "$(wc -l < /tmp/tries)" -ge "$attempts" ] || fail "$(wc -l < /tmp/tries) initiations in $attempts attempts"
{ head -1 /tmp/tries; stamps 'peer 1 gave up after' | tail -1; } | apart "first and last" 90 || fail "it gave up too early"
a nft delete table ip t

step "it works again when the line does"
until_true 30 a ping -q -c1 -W1 10.9.0.2 || fail "no ping after the line came back"

step "persistent keepalive: every 20 s"
a nft -f - <<'NFT'
table ip t {
	counter n_keepalive { }
	chain out {
		type filter hook output priority 0;
		oifname va udp dport 5002 udp length 40 counter name n_keepalive
	}
}
NFT
uptime_ms() { awk '{print int($1 * 1000)}' /proc/uptime; }
a wg set wg0 peer "$pub_b" persistent-keepalive 20
until_true 30 sh -c '[ "$(ip netns exec a nft list counter ip t n_keepalive | sed -n "s/.*packets \([0-9]*\).*/\1/p")" -ge 1 ]' || fail "no persistent keepalive"
before=$(keepalives) started=$(uptime_ms)
until_true 60 sh -c "[ \$(ip netns exec a nft list counter ip t n_keepalive | sed -n 's/.*packets \([0-9]*\).*/\1/p') -ge $((before + 6)) ]" || fail "it stopped"
took=$((($(uptime_ms) - started) * scale / 1000)) more=$(($(keepalives) - before))
# Five whole intervals at the least; answers of ours to a renewed session can add one each, which is less than every second.
[ $((more)) -le $((took / 20 + took / 120 + 3)) ] || fail "$more keepalives in $took s"
echo "$more keepalives in $took s"
a wg set wg0 peer "$pub_b" persistent-keepalive off
a nft delete table ip t

step "keys that nobody used for 540 s are zeroed"
before=$(log 'are zeroed')
wait_log 180 'are zeroed' "$((before + 1))" || fail "keys live for ever"
{ stamps 'received a handshake response' | tail -1; stamps 'peer 1 are zeroed' | tail -1; } | apart "last session and zeroing" 540 || fail "keys were zeroed too early"
until_true 30 sh -c "[ \$(dmesg | grep -c 'keypair .* created') -eq \$(dmesg | grep -c 'keypair .* destroyed') ]" || fail "key pairs are left"

step "teardown"
ip netns del a; ip netns del b
until_true 20 sh -c 'rmmod wireguard' || fail rmmod
expect_no_leaks
