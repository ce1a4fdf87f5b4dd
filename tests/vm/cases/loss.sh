# SPDX-License-Identifier: MIT
# A bad line: loss, reordering, duplicates by netem; the module must neither stall, nor let a packet through twice, nor
# reorder by itself.
# vm: -t 500 -a slub_debug=FZP
# shellcheck shell=bash source=tests/vm/guest/lib.sh
. /root/lib.sh
load_ours time_scale=20
two_namespaces; modprobe sch_netem
tunnel

step "no packet is let through twice"
a tc qdisc add dev va root netem duplicate 50%
a ping -q -i 0.02 -c ${WGD_LONG:+2}100 10.9.0.2 > /tmp/ping.log || fail "ping over duplicates"
! grep -q duplicates /tmp/ping.log || fail "duplicates came through: $(grep duplicates /tmp/ping.log)"
[ "$(b cat /sys/class/net/wg0/statistics/rx_errors)" -gt 10 ] || fail "the duplicates were not counted"

step "no reordering by parallel ciphers on a good line"
a tc qdisc del dev va root
ofo() { b nstat -asz TcpExtTCPOFOQueue | awk '/OFO/{print $2}'; }
kbit=$(tcp_kbit ${WGD_LONG:+3}2 -P2) || fail "TCP on a good line"
retransmits=$(jq .end.sum_sent.retransmits /tmp/iperf.json)
echo "$kbit kbit/s, $retransmits retransmits, $(ofo) out of order"
[ "$retransmits" != 0 ] || [ "$(ofo)" = 0 ] || fail "$(ofo) segments came out of order"
[ "$kbit" -ge 100 ] || fail "$kbit kbit/s"

step "5 % loss and reordering over 10 ms, with rekeying every 6 s"
a tc qdisc add dev va root netem delay 10ms 5ms loss 5% reorder 20% 50%
b tc qdisc add dev vb root netem delay 10ms 5ms loss 5% reorder 20% 50%
kbit=$(tcp_kbit ${WGD_LONG:+6}4) || fail "TCP on a bad line"
a ping -q -i 0.02 -c ${WGD_LONG:+2}150 -W2 10.9.0.2 > /tmp/ping.log
loss=$(sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' /tmp/ping.log)
echo "$loss % of pings lost of about 10 expected"
[ "${loss%.*}" -le 25 ] || fail "$loss % of pings lost"

step "teardown"
ip netns del a; ip netns del b
until_true 20 sh -c 'rmmod wireguard' || fail rmmod
expect_no_leaks
