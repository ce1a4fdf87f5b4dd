#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Attacks on a tunnel's secrecy, each once without the kill switch, where it has to work, and once with it, where it
# has to fail; and a program that sends all the time while the tunnel comes up, goes down, crashes and is restarted.
# Packets are counted on the cable between home and its provider, who is the attacker: it is home's router, and the
# local network.
. "$(dirname "${BASH_SOURCE[0]}")/../system/scene.sh"
. "$WGD_SOURCE/tests/system/wire.sh"
. "$WGD_SOURCE/tests/system/debian.sh"

need_tools wg wireguard-go tcpdump nft ping python3 arping dnsmasq
need_programs wgd wgctl wgd-datapath
[ "${WGD_IN_SCENE:-}" = 1 ] || unpack_debian isc-dhcp-client
enter_scene "$@"

make_world
provider_peer
# For LocalNet: the attacker answers for whatever home believes to be on its own network.
on provider bash -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/proxy_arp
    echo 0 >/proc/sys/net/ipv4/neigh/eth0/proxy_delay'
start_bus home
profile() { # NAME ALLOWED-IPS [LINE]
    full_tunnel_profile "$PEER_V4:$PEER_PORT" |
        sed "s|^AllowedIPs.*|AllowedIPs = $2|; /^DNS/d; s|^\[Interface\]|&\n${3:-}|" | write_profile home "$1"
}
profile open "0.0.0.0/0, ::/0"
profile locked "0.0.0.0/0, ::/0"
profile open4 "0.0.0.0/0"
profile locked4 "0.0.0.0/0"
profile opensplit "10.5.0.0/24"
profile lockedsplit "10.5.0.0/24"
profile failing "0.0.0.0/0, ::/0" "PreUp = exit 1"
profile lan "0.0.0.0/0, ::/0"
profile locked6 "0.0.0.0/0, ::/0" && on home sed -i "s/^Endpoint.*/Endpoint = [$PEER_V6]:$PEER_PORT/" /etc/wireguard/locked6.conf
profile openexcept "0.0.0.0/0, ::/0"
profile lockedexcept "0.0.0.0/0, ::/0"
settings() { # LOCKDOWN
    cat >"$SCENE/home/wgd.toml" <<EOT
[daemon]
lockdown = $1
[tunnel.locked]
kill_switch = true
[tunnel.locked4]
kill_switch = true
[tunnel.locked6]
kill_switch = true
[tunnel.lockedsplit]
kill_switch = true
[tunnel.failing]
kill_switch = true
[tunnel.lan]
kill_switch = "lan"
[tunnel.openexcept]
exclude = ["192.0.2.0/24"]
[tunnel.lockedexcept]
exclude = ["192.0.2.0/24"]
kill_switch = true
EOT
}
settings false

. "$WGD_SOURCE/tests/attacks/attack.sh"

# Five datagrams; that the system refuses them is fine.
send() { # ADDRESS PORT
    on home bash -c 'for _ in 1 2 3 4 5; do echo secret >"/dev/udp/$0/$1"; done' "$1" "$2" 2>/dev/null
}

# A lease from the provider, taken by Debian's DHCP client as Debian configures it. The server gives the routes of
# TunnelVision along with the address. (The client must not name the machine that runs the test.)
lay_over home isc-dhcp-client
on home bash -c "cp -a $WGD_BUILD/debs/isc-dhcp-client/etc/dhcp /etc/"
start provider dhcp dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --log-facility=- --user=root --pid-file= \
    --no-ping --dhcp-authoritative --dhcp-leasefile="$SCENE/provider/leases" --bind-interfaces --interface=eth0 \
    --dhcp-range=192.0.2.77,192.0.2.77 --dhcp-option=3 --dhcp-option=6 \
    --dhcp-option=121,0.0.0.0/1,192.0.2.1,128.0.0.0/1,192.0.2.1
get_lease() {
    : >"$SCENE/home/leases"
    on home unshare --uts dhclient -4 -1 -lf "$SCENE/home/leases" -pf "$SCENE/home/dhclient.pid" eth0 \
        >>"$SCENE/home/dhclient.log" 2>&1
}
has_leased_routes() { [ "$(on home ip route show | grep -cE '^(0|128)\.0\.0\.0/1 via 192\.0\.2\.1')" = 2 ]; }
# It must not clean up itself: it would take home's own address along.
give_up_lease() {
    kill -KILL "$(cat "$SCENE/home/dhclient.pid")"
    on home bash -c 'ip route del 0.0.0.0/1; ip route del 128.0.0.0/1; ip address del 192.0.2.77/24 dev eth0' 2>/dev/null
    rm -f "$SCENE/home/dhclient.pid"
}

# ---- the attacks: each prints how much the attacker got

ipv6_leak() {
    send "$INTERNET_V6" 4001
    in_clear "udp dst port 4001"
}
tunnel_vision() { # CVE-2024-3661: a DHCP server gives routes (option 121) that are more specific than any default
    get_lease
    send "$INTERNET_V4" 4002
    # Without the routes the attack was none.
    if has_leased_routes; then in_clear "udp dst port 4002"; else echo "no routes of the server's"; fi
    give_up_lease
}
local_net() { # CVE-2023-36672: the network says that the target's addresses are its own
    on home ip address add 198.51.100.200/24 dev eth0
    send "$INTERNET_V4" 4003
    # They wait for the answer to "who has it?", which takes its time.
    on home bash -c 'for i in {1..50}; do ip neigh show "$0" dev eth0 | grep -qE "REACHABLE|STALE|DELAY" && break; sleep 0.02; done' \
        "$INTERNET_V4"
    in_clear "udp dst port 4003"
    on home ip address del 198.51.100.200/24 dev eth0
}
server_ip() { # CVE-2023-36673: what is for the endpoint's address goes outside; a liar says who else has it
    on home ip route add "$PEER_V4/32" via 192.0.2.1
    send "$PEER_V4" 4004
    in_clear "udp dst port 4004"
    on home ip route del "$PEER_V4/32" via 192.0.2.1
}
arp_probe() { # who has the address inside the tunnel?
    on provider arping -c 1 -w 1 -I eth0 "$TUNNEL_V4" 2>/dev/null | grep -c 'reply from'
}
start home listener socat TCP4-LISTEN:8022,reuseaddr,fork EXEC:true
inside_probe() { # CVE-2019-14899: a packet for the address inside the tunnel, from outside
    on provider ip route add "$TUNNEL_V4/32" via "$HOME_V4" dev eth0
    # Also a refusal is an answer.
    on provider timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/8022"' "$TUNNEL_V4" 2>"$SCENE/probed" || grep -q refused "$SCENE/probed"
    echo $((! $?))
    on provider ip route del "$TUNNEL_V4/32" via "$HOME_V4" dev eth0
}
dns_leak() { # a program that asks the local network's own resolver
    send 192.0.2.1 53
    in_clear "udp dst port 53"
}

encrypted_dns_leak() { # the same by DNS over TLS or QUIC
    send 192.0.2.1 853
    in_clear "udp dst port 853"
}

works() { # ATTACK DESCRIPTION
    local got
    got=$($1)
    check "without: $2: the attacker gets $got" test "$got" -gt 0
}
fails() { # ATTACK DESCRIPTION
    local got
    got=$($1)
    check "with: $2: the attacker gets $got" test "$got" = 0
}

start_wgd home
snapshot home "$SCENE/before"
heading "A full tunnel without the kill switch"
listen
check "wgctl up open" wgctl home up open
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
works tunnel_vision "TunnelVision"
works local_net "TunnelCrack LocalNet"
works server_ip "TunnelCrack ServerIP"
works arp_probe "ARP for the address inside"
works dns_leak "DNS of the local network"
fails inside_probe "CVE-2019-14899 (the tunnel's own table is enough)"
check "wgctl down open" wgctl home down open
check "wgctl up open4 (IPv4 only)" wgctl home up open4
works ipv6_leak "IPv6 leak"
check "  ... of which status warns" bash -c '"$0" "$@" | grep -q "IPv4 only"' nsenter --target "${MACHINE_PID[home]}" --net --mount --root "$BIN/wgctl" status open4
check "wgctl down open4" wgctl home down open4
check "wgctl up opensplit (a part of the traffic)" wgctl home up opensplit
works inside_probe "CVE-2019-14899"
check "wgctl down opensplit" wgctl home down opensplit
wire_stop

heading "The same with it"
listen
check "wgctl up locked" wgctl home up locked
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "the tunnel works, IPv6" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V6"
check_shown "wgctl status locked" wgctl home status locked
check_says "status tells" 'kill switch: +closed'
for attack in "tunnel_vision TunnelVision" "local_net TunnelCrack LocalNet" "server_ip TunnelCrack ServerIP" \
    "arp_probe ARP for the address inside" "dns_leak DNS of the local network" "inside_probe CVE-2019-14899"; do
    fails "${attack%% *}" "${attack#* }"
done
on home nft delete table inet wgd-lock
check "somebody removes the table: it is put back" wait_for 10 "the table" on home nft list table inet wgd-lock
check "wgctl down locked" wgctl home down locked
check "wgctl up locked4 (IPv4 only)" wgctl home up locked4
fails ipv6_leak "IPv6 leak"
check "wgctl down locked4" wgctl home down locked4
check "wgctl up locked6 (an endpoint with IPv6)" wgctl home up locked6
on home ip -6 neigh flush dev eth0
check "the router is found anew (neighbour discovery), the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V6"
check "wgctl down locked6" wgctl home down locked6
check "wgctl up lockedsplit" wgctl home up lockedsplit
fails inside_probe "CVE-2019-14899"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 10.5.0.1
check "wgctl down lockedsplit" wgctl home down lockedsplit
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
wire_stop

heading "\"lan\": private addresses of the local network, and only those"
listen
on provider ip address add 192.168.7.1/24 dev eth0
on home ip address add 192.168.7.2/24 dev eth0
check "wgctl up lan" wgctl home up lan
check "a private neighbour answers" on home ping -n -c 2 -i 0.2 -W 5 192.168.7.1
check "a public one does not" bash -c '! nsenter --target "$0" --net ping -n -c 2 -i 0.2 -W 1 192.0.2.1' "${MACHINE_PID[home]}"
send 192.168.7.1 53
check "DNS does not go to it" test "$(in_clear "udp dst port 53")" = 0
fails tunnel_vision "TunnelVision"
fails local_net "TunnelCrack LocalNet"
check "wgctl down lan" wgctl home down lan
on home ip address del 192.168.7.2/24 dev eth0
wire_stop

heading "exclude: what is excluded goes outside, names are not asked there"
listen
check "wgctl up openexcept" wgctl home up openexcept
works dns_leak "DNS in an excluded range"
works encrypted_dns_leak "encrypted DNS in an excluded range"
check "wgctl down openexcept" wgctl home down openexcept
wire_stop
listen
check "wgctl up lockedexcept" wgctl home up lockedexcept
check "what is excluded answers" on home ping -n -c 2 -i 0.2 -W 5 192.0.2.1
fails dns_leak "DNS in an excluded range"
fails encrypted_dns_leak "encrypted DNS in an excluded range"
fails tunnel_vision "TunnelVision"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "wgctl down lockedexcept" wgctl home down lockedexcept
wire_stop

SECRETS='udp dst port 4100 or udp dst port 53'
crash() { # PID
    stop "$1" KILL
    sent_more
}
heading "kill_switch = true: crash, kill -9, a lost link, a failed up, a restart, at 1 kHz"
listen
check "wgctl up locked" wgctl home up locked
start_sender
crash "$WGD_PID"
start_wgd home
sent_more
crash "$WGD_PID"
on home rm /run/wgd/lock # somebody tidied up
start_wgd home
sent_more
kill -KILL "$(pgrep --oldest --exact wgd-datapath)" # this scene's: it has a pid namespace of its own
wait_for 10 "state failed" bash -c '"$0" "$@" | grep -q failed' nsenter --target "${MACHINE_PID[home]}" --net --mount --root "$BIN/wgctl" status locked
sent_more
check_shown "status tells that it stays closed" wgctl home status locked
check_says "  ..." 'kill switch: +closed'
crash "$WGD_PID"
start_wgd home
check "after the restart it is known, closed, failed" bash -c '"$0" "$@" | grep -q "kill switch: *closed"' nsenter --target "${MACHINE_PID[home]}" --net --mount --root "$BIN/wgctl" status locked
check "wgctl up locked" wgctl home up locked
sent_more
check_refused "an up that fails" 1 'exit status 1|PreUp' wgctl home up failing
sent_more
stop "$WGD_PID" TERM
sent_more
start_wgd home
on home nft delete table inet wgd-locked 2>/dev/null
sent_more
check "packets sent: $(cat "$SCENE/tried"); in clear on the wire: none" nothing_in_clear "$SECRETS"
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "wgctl down locked" wgctl home down locked
check "the other one still holds it" test "$(in_clear "$SECRETS")" = 0
check "wgctl down failing" wgctl home down failing
sent_more
check "(then they are seen: the wire was listened to)" test "$(in_clear "$SECRETS")" -gt 0
stop "$SENDER" KILL
wire_stop
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"

heading "lockdown = true: up, down, crash and restart, at 1 kHz"
settings true
stop "$WGD_PID" TERM
check "wgd --lockdown closes before wgd is there (as at boot)" on home "$BIN/wgd" --config "$SCENE/home/wgd.toml" --lockdown
listen
start_sender
start_wgd home
sent_more
check "wgctl up open" wgctl home up open
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
sent_more
check "wgctl down open" wgctl home down open
sent_more
wgctl home up locked >/dev/null 2>&1 &
UP=$!
stop "$WGD_PID" KILL
wait "$UP"
sent_more
start_wgd home
sent_more
wgctl home down locked >/dev/null 2>&1
check "wgctl up open" wgctl home up open
stop "$WGD_PID" KILL
start_wgd home
check "wgctl down open" wgctl home down open
sent_more
check "packets sent: $(cat "$SCENE/tried"); in clear on the wire: none" nothing_in_clear "$SECRETS"
settings false
kill -HUP "$WGD_PID"
wait_for 10 "the table to go" bash -c '! nsenter --target "$0" --net nft list table inet wgd-lock' "${MACHINE_PID[home]}"
sent_more
check "(turned off, they are seen)" test "$(in_clear "$SECRETS")" -gt 0
stop "$SENDER" KILL
wire_stop
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
echo 'lockdown = = nonsense' >"$SCENE/home/broken.toml"
check_refused "settings that cannot be read: closed in doubt" 1 'cannot be known' on home "$BIN/wgd" --config "$SCENE/home/broken.toml" --lockdown
check "  ..." on home nft list table inet wgd-lock
finish
