#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A closed kill switch and an endpoint that is a name: the name has to be asked for, outside, by wgd; nobody else gets
# a question out. All packets on the cable are looked at, while the tunnel comes up, while its endpoint moves, while
# the name server is gone, and while the daemon is killed and started; a program sends a thousand times a second.
. "$(dirname "${BASH_SOURCE[0]}")/../system/scene.sh"
. "$WGD_SOURCE/tests/system/wire.sh"
. "$WGD_SOURCE/tests/system/name_server.sh"

need_tools wg wireguard-go tcpdump nft ping python3 dnsmasq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

MOVED_V4=203.0.113.2
make_world
. "$WGD_SOURCE/tests/attacks/attack.sh"
provider_peer
on provider ip address add "$MOVED_V4/32" dev lo
start_bus home
asks_the_internet
cat >"$SCENE/home/wgd.toml" <<EOT
[defaults]
endpoint_wait = 1
endpoint_retry = 1
endpoint_retry_max = 2
endpoint_ttl_min = 1
endpoint_refresh = "follow"
[tunnel.locked]
kill_switch = true
EOT
for name in open locked; do full_tunnel_profile "$NAME:$PEER_PORT" | write_profile home $name; done

endpoint_is() { [ "$(on home wg show locked endpoints | cut -f 2)" = "$1:$PEER_PORT" ]; }
# A program's question, as glibc asks it.
ask() { on home timeout 3 getent ahostsv4 "$1" >/dev/null || :; }

# What may be on the cable: encrypted packets to either address of the peer, what a link needs, and questions for this
# one name to this one server. The name is looked for in the packet itself: its labels, 3vpn7example3net.
QUESTION="udp and dst host $INTERNET_V4 and dst port 53 and udp[20:4] = 0x0376706e and udp[24:4] = 0x07657861 and udp[28:4] = 0x6d706c65 and udp[32:4] = 0x036e6574"
ENCRYPTED="udp and dst host $MOVED_V4 and dst port $PEER_PORT and $WIRE_MESSAGE"
nothing_else() { nothing_in_clear "not (($QUESTION) or ($ENCRYPTED) or $WIRE_HOUSEKEEPING)"; }

names "$PEER_V4"
start_dns
start_wgd home
snapshot home "$SCENE/before"

heading "Without the kill switch"
listen
check "wgctl up open" wgctl home up open
start_sender "$INTERNET_V4"
stop "$WGD_PID" KILL
kill -KILL "$(pgrep --oldest --exact wgd-datapath)" # this scene's: it has a pid namespace of its own
sent_more
ask leaked.example
check "when the tunnel dies the attacker gets packets" test "$(in_clear "udp dst port 4100")" -gt 0
check "  ... and questions" test "$(in_clear "udp dst port 53 and not ($QUESTION)")" -gt 0
stop "$SENDER" KILL
start_wgd home
wgctl home down open >/dev/null 2>&1
wire_stop

heading "With it: the name server is not there yet"
stop_dns
start_sender "$INTERNET_V4"
# The up closes the switch; what is counted begins when it is closed.
wgctl home up locked >"$SCENE/up" 2>&1 &
UP=$!
wait_for 10 "the table" on home nft list table inet wgd-lock
listen
wait "$UP"
check_shown "up, without an endpoint; status says so" wgctl home status locked
check_says "  ..." "$NAME.*asked for again"
ask secret.example
sent_more
check "nothing but the questions" nothing_else
question_seen() { [ "$(wire_count other "$QUESTION")" -gt 0 ]; }
check "  ... and there were some" wait_for 10 "a question" question_seen

heading "The name server comes, the tunnel works"
start_dns
check "the endpoint is found" wait_for 30 "an endpoint" endpoint_is "$PEER_V4"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
ask secret.example
sent_more
check "nothing but the questions" nothing_else

heading "The endpoint moves"
names "$MOVED_V4"
check "it is followed" wait_for 15 "the new address" endpoint_is "$MOVED_V4"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
# What the old address sends in the moment of the change makes the device roam back there, where nothing passes any more.
on home wg set locked peer "$PEER_PUBLIC" endpoint "$PEER_V4:$PEER_PORT"
check "the device roams back: it is called back" wait_for 15 "the new address" endpoint_is "$MOVED_V4"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
sent_more
check "nothing but the questions, and encrypted packets to the new address" nothing_else

heading "reload, a reload that fails, kill -9, restart"
on home sed -i 's/^PersistentKeepalive.*/PersistentKeepalive = 20/' /etc/wireguard/locked.conf
check "wgctl reload with a change" wgctl home reload locked
sent_more
full_tunnel_profile "$NAME:$PEER_PORT" | sed 's/^Address.*/Address = nonsense/' | write_profile home locked
check "wgctl reload of nonsense fails" bash -c '! nsenter --target "$0" --net --mount --root "$1" reload locked' \
    "${MACHINE_PID[home]}" "$BIN/wgctl"
full_tunnel_profile "$NAME:$PEER_PORT" | sed 's/^PersistentKeepalive.*/PersistentKeepalive = 20/' | write_profile home locked
sent_more
stop "$WGD_PID" KILL
sent_more
ask secret.example
start_wgd home
before=$(questions)
sent_more
check "the new daemon asks for the name as well" wait_for 15 "a question" asked_again "$before"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "packets sent: $(cat "$SCENE/tried"); on the cable nothing but the questions and what is encrypted" nothing_else

heading "down"
check "wgctl down locked" wgctl home down locked
full_tunnel_profile "$NAME:$PEER_PORT" | write_profile home locked
sent_more
check "(then they are seen: the wire was listened to)" test "$(in_clear "udp dst port 4100")" -gt 0
stop "$SENDER" KILL
wire_stop
snapshot home "$SCENE/after"
# But for what a killed datapath leaves: its log and its socket, for the next one of that name.
sed -i '/^\/run\/wgd\/datapath\//d; /^\/run\/wireguard\//d' "$SCENE/before" "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
finish
