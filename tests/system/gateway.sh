#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The other end: a road warrior's full tunnel through a gateway of ours to the internet, both families; what the
# gateway must not let happen; and a gateway that is what it was when the tunnel is down.
#
#   roamer                       gateway                              internet
#   eth0 192.0.2.2     ------   eth0 192.0.2.1   eth1 198.51.100.1 ------ eth0 198.51.100.10 (link of MTU 1380)
#        2001:db8:1::2               2001:db8:1::1    2001:db8:2::1            2001:db8:2::10
#   office 10.9.0.2, fd09::2 ..  office 10.9.0.1, fd09::1
#
# The internet has no route back to 10.9.0.0/24: only what is masqueraded is answered.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"
. "$WGD_SOURCE/tests/system/debian.sh"

need_tools wg wireguard-go nft jq socat ping python3 tcpdump conntrack ufw iptables
need_programs wgd wgctl wgd-datapath
FIREWALLD="firewalld python3-firewall python3-nftables gir1.2-nm-1.0 libnm0" DOCKER="docker.io containerd runc"
if [ "${WGD_IN_SCENE:-}" != 1 ]; then
    for package in $FIREWALLD $DOCKER; do unpack_debian "$package"; done
    # What the package's maintainer script would do; without it polkit does not know what it is asked about.
    ln -sf org.fedoraproject.FirewallD1.server.policy.choice \
        "$WGD_BUILD/debs/firewalld/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy"
fi
enter_scene "$@"

heading "Three machines; the gateway forwards nothing yet"
machine roamer
machine gateway
machine internet
cable roamer eth0 gateway eth0
cable gateway eth1 internet eth0
on roamer bash -euc "
    ip address add 192.0.2.2/24 dev eth0
    ip address add 2001:db8:1::2/64 dev eth0 nodad"
on gateway bash -euc "
    ip address add 192.0.2.1/24 dev eth0
    ip address add 2001:db8:1::1/64 dev eth0 nodad
    ip address add 198.51.100.1/24 dev eth1
    ip address add 2001:db8:2::1/64 dev eth1 nodad
    ip link set eth1 mtu 1380
    # Values that turning forwarding on and off again would change.
    echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects
    echo 1 >/proc/sys/net/ipv6/conf/eth1/forwarding"
on internet bash -euc "
    ip address add $INTERNET_V4/24 dev eth0
    ip address add $INTERNET_V6/64 dev eth0 nodad
    ip link set eth0 mtu 1380"
make_keys
umask 077
SECOND_KEY=$(wg genkey)
SECOND_PUBLIC=$(wg pubkey <<<"$SECOND_KEY")
umask 022

write_profile gateway office <<EOT
[Interface]
PrivateKey = $PEER_KEY
ListenPort = $PEER_PORT
Address = 10.9.0.1/24, fd09::1/64

[Peer]
PublicKey = $HOME_PUBLIC
AllowedIPs = 10.9.0.2/32, fd09::2/128

[Peer]
PublicKey = $SECOND_PUBLIC
AllowedIPs = 10.9.0.3/32, fd09::3/128
EOT
write_profile gateway branch <<EOT
[Interface]
PrivateKey = $(wg genkey)
ListenPort = 51821
Address = 10.10.0.1/24
EOT
cat >"$SCENE/gateway/wgd.toml" <<EOT
[tunnel.office]
masquerade = "eth1"
mss_clamp = true
[tunnel.branch]
forward = true
EOT

# A stock client: its tunnel is its only way to the internet.
client() { # LINK KEY ADDRESS-V4 ADDRESS-V6
    stock_peer roamer "$1" <<EOT
[Interface]
PrivateKey = $2
[Peer]
PublicKey = $PEER_PUBLIC
Endpoint = 192.0.2.1:$PEER_PORT
AllowedIPs = 0.0.0.0/0, ::/0
EOT
    on roamer ip address add "$3/32" dev "$1"
    on roamer ip address add "$4/128" dev "$1" nodad
    on roamer ip link set mtu 1420 dev "$1"
}
# A gateway that was down knows nothing of the client's session; a client finds that out by itself, but not at once.
renew() { # MACHINE LINK ENDPOINT ALLOWED-IPS
    on "$1" wg set "$2" peer "$PEER_PUBLIC" remove
    on "$1" wg set "$2" peer "$PEER_PUBLIC" endpoint "$3" allowed-ips "$4" persistent-keepalive 1
}
renew_client() { renew roamer office "192.0.2.1:$PEER_PORT" 0.0.0.0/0,::/0; }
client office "$HOME_KEY" 10.9.0.2 fd09::2
on roamer ip route add default dev office
on roamer ip -6 route add default dev office
start_mirror internet
on gateway bash -c "cp -a $WGD_BUILD/debs/firewalld/etc/firewalld /etc/
    install -D -t /etc/dbus-1/system.d $WGD_BUILD/debs/firewalld/usr/share/dbus-1/system.d/*.conf"
start_bus gateway
start_wgd gateway
snapshot gateway "$SCENE/before"

heading "Up: through the gateway to the internet"
check "wgctl up office" wgctl gateway up office
check "IP forwarding is on" bash -c '[ "$(cat)" = "1 1" ]' < <(on gateway bash -c 'echo $(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding)')
check "ping, IPv4" ping_ok roamer "$INTERNET_V4"
check "ping, IPv6" ping_ok roamer "$INTERNET_V6"
seen_as roamer "$INTERNET_V4" >"$SCENE/seen"
check "TCP: the internet sees the gateway, IPv4" grep -qxF 198.51.100.1 "$SCENE/seen"
seen_as roamer "$INTERNET_V6" >"$SCENE/seen"
check "TCP: the internet sees the gateway, IPv6" grep -qxE '2001:0?db8:0*2:.*0*1' "$SCENE/seen"
start internet echo4 socat UDP4-LISTEN:7,fork EXEC:cat
start internet echo6 socat UDP6-LISTEN:7,ipv6only,fork EXEC:cat
udp_echo() { # ADDRESS
    wait_for 5 "an answer from $1" bash -c 'echo hello | nsenter --target "$1" --net socat -t 1 - "UDP:$2:7" | grep -q hello' - \
        "${MACHINE_PID[roamer]}" "$1"
}
check "UDP, IPv4" udp_echo "$INTERNET_V4"
check "UDP, IPv6" udp_echo "[$INTERNET_V6]"

heading "Errors come back, large packets are told their limit"
refused() { # ADDRESS: a UDP socket hears of a closed port only by ICMP
    on roamer python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 9))
s.send(b"x")
try:
    s.recv(1)
except ConnectionRefusedError:
    sys.exit(0)
sys.exit(1)' "$1"
}
check "port unreachable, IPv4" refused "$INTERNET_V4"
check "port unreachable, IPv6" refused "$INTERNET_V6"
on roamer ping -n -M "do" -s 1392 -c 2 -i 0.2 -W 2 "$INTERNET_V4" >"$SCENE/said" 2>&1 # 1420 bytes, the tunnel's MTU
check "fragmentation needed, IPv4: mtu = 1380" grep -Eq 'mtu ?= ?1380' "$SCENE/said"
on roamer ping -n -M "do" -s 1372 -c 2 -i 0.2 -W 2 "$INTERNET_V6" >"$SCENE/said" 2>&1
check "packet too big, IPv6: mtu = 1380" grep -Eq 'mtu ?= ?1380' "$SCENE/said"
make_payload 4
transfer "upload over the narrow link" roamer internet "$INTERNET_V4"
transfer "upload over the narrow link, IPv6" roamer internet "$INTERNET_V6"
start internet syn tcpdump -i eth0 -n -U --immediate-mode -Z root -w "$SCENE/syn.pcap" 'tcp[tcpflags] & tcp-syn != 0'
SYN=$STARTED
wait_for 5 "tcpdump" grep -q 'listening on' "$SCENE/internet/syn.log"
seen_as roamer "$INTERNET_V4" >"$SCENE/seen"
stop "$SYN" INT
check "mss_clamp: a connection asks for segments of 1340 at most" \
    bash -c '[ "$(tcpdump -n -v -r "$1" 2>/dev/null | grep -o "mss [0-9]*" | sort -u | sort -k2n | tail -1)" = "mss 1340" ]' - "$SCENE/syn.pcap"

heading "Port shadow: a peer sends from the gateway's own port"
# If the gateway kept the peer's source port, what a stranger then sends to the tunnel's port would be taken for the
# answer and handed to the peer (CVE-2021-3773).
shadow() { # prints the source port the stranger sees, and whether its packets for 51820 end up with the peer
    start internet stranger timeout 20 python3 -uc '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("'"$INTERNET_V4"'", 40000))
print("ready")
s.settimeout(15)
print("port", s.recvfrom(100)[1][1])
for i in range(20):
    s.sendto(b"a handshake for the gateway", ("198.51.100.1", 51820))'
    local stranger=$STARTED log=$SCENE/internet/stranger.log
    wait_for 10 "the stranger" grep -q ready "$log"
    on roamer python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.9.0.2", 51820))
s.sendto(b"shadow", ("'"$INTERNET_V4"'", 40000))
s.settimeout(3)
try:
    s.recv(100)
    print("caught")
except socket.timeout:
    print("nothing")'
    wait "$stranger"
    sed -n 's/^port //p' "$log"
    rm -f "$log"
}
forget() { on gateway conntrack -F 2>/dev/null; }
shadow >"$SCENE/shadow"
check "a stranger's packet for the tunnel's port does not go to the peer" grep -qx nothing "$SCENE/shadow"
check "  ... because the peer had to take another port: $(tail -1 "$SCENE/shadow")" test "$(tail -1 "$SCENE/shadow")" -ge 61000
forget
on gateway nft -f - <<EOT
table ip naive {
chain post { type nat hook postrouting priority 90; iifname "office" oifname "eth1" masquerade
}
}
EOT
shadow >"$SCENE/shadow"
check "(with a plain masquerade rule before ours the attack succeeds)" grep -qx caught "$SCENE/shadow"
on gateway nft delete table ip naive
forget

heading "Two tunnels share the switch"
check "wgctl up branch" wgctl gateway up branch
check "wgctl down office" wgctl gateway down office
check "forwarding stays on for branch" test "$(on gateway cat /proc/sys/net/ipv4/ip_forward)" = 1
check "wgctl down branch" wgctl gateway down branch
snapshot gateway "$SCENE/after"
check_same "the gateway is what it was" "$SCENE/before" "$SCENE/after"

heading "isolate_peers"
stock_peer internet mate <<EOT
[Interface]
PrivateKey = $SECOND_KEY
[Peer]
PublicKey = $PEER_PUBLIC
Endpoint = 198.51.100.1:$PEER_PORT
AllowedIPs = 10.9.0.0/24
PersistentKeepalive = 1
EOT
on internet ip address add 10.9.0.3/32 dev mate
on internet ip route add 10.9.0.0/24 dev mate
check "wgctl up office" wgctl gateway up office
renew_client
renew internet mate "198.51.100.1:$PEER_PORT" 10.9.0.0/24
wait_for 5 "the second peer" on gateway ping -n -c 1 -W 1 10.9.0.3
check "without it, peers reach each other" ping_ok roamer 10.9.0.3
check "wgctl down office" wgctl gateway down office
sed -i 's/^mss_clamp.*/isolate_peers = true/' "$SCENE/gateway/wgd.toml"
kill -HUP "$WGD_PID"
wait_for 5 "the settings" grep -q 'settings read again' "$SCENE/gateway/wgd.log"
check "wgctl up office" wgctl gateway up office
renew_client
renew internet mate "198.51.100.1:$PEER_PORT" 10.9.0.0/24
wait_for 5 "the second peer" on gateway ping -n -c 1 -W 1 10.9.0.3
check "the internet still answers" ping_ok roamer "$INTERNET_V4"
check "with it, they do not" bash -c '! nsenter --target "$1" --net ping -n -c 3 -i 0.2 -W 1 10.9.0.3' - "${MACHINE_PID[roamer]}"
check "wgctl down office" wgctl gateway down office

heading "A firewall of somebody else's is named, and what wgd says about it helps: the real Docker"
# The client's session is there: what does not arrive is not let through.
roamer_is_there() { wait_for 10 "the client" on gateway ping -n -c 1 -W 1 10.9.0.2; }
is_stopped() { bash -c '! nsenter --target "$1" --net ping -n -c 2 -i 0.2 -W 1 "$2"' - "${MACHINE_PID[roamer]}" "$INTERNET_V4"; }
not_complained_of() { wgctl gateway plan office >"$SCENE/said" 2>&1 && ! grep -q 'drops what' "$SCENE/said"; }
# shellcheck disable=SC2086 # a list of packages
lay_over gateway $DOCKER
# Without a view of the machine's control groups it does not start.
on gateway bash -c 'mkdir -p /run/docker-root && mount -t cgroup2 cgroup2 /sys/fs/cgroup'
start gateway dockerd dockerd --data-root /run/docker-root --exec-root /run/docker-exec --pidfile /run/docker.pid \
    --host unix:///run/docker.sock --storage-driver vfs
DOCKERD=$STARTED
wait_for 60 "dockerd" grep -q 'API listen on' "$SCENE/gateway/dockerd.log" || quote <"$SCENE/gateway/dockerd.log"
check "dockerd has closed the forward chain" bash -c 'nsenter --target "$0" --net nft list chains | grep -q "hook forward .*policy drop"' \
    "${MACHINE_PID[gateway]}"
check_shown "wgctl up office" wgctl gateway up office
check_says "what has to be done is said" 'iptables -I DOCKER-USER -i office -j ACCEPT` and `iptables -I DOCKER-USER -o office'
renew_client
roamer_is_there
check "until then nothing is forwarded" is_stopped
check "it is done" on gateway bash -c 'iptables -I DOCKER-USER -i office -j ACCEPT && iptables -I DOCKER-USER -o office -j ACCEPT'
check "the internet answers" ping_ok roamer "$INTERNET_V4"
check "wgctl down office" wgctl gateway down office
check "wgd is content" not_complained_of
stop "$DOCKERD"
on gateway bash -c 'nft flush ruleset; ip link delete docker0; umount /sys/fs/cgroup; echo 0 >/proc/sys/net/ipv4/ip_forward'
take_off gateway

heading "The real firewalld"
# shellcheck disable=SC2086
lay_over gateway $FIREWALLD
start gateway firewalld firewalld --nofork --nopid
FIREWALLD_PID=$STARTED
wait_for 60 "firewalld" on gateway firewall-cmd --state || quote <"$SCENE/gateway/firewalld.log"
check_shown "wgctl up office" wgctl gateway up office
check_says "what has to be done is said" 'firewall-cmd --permanent --zone=trusted --add-interface=office`, open the port .* `firewall-cmd --permanent --add-port='"$PEER_PORT"'/udp`, and `firewall-cmd --reload'
check "the port is opened" on gateway bash -c "firewall-cmd --permanent --add-port=$PEER_PORT/udp && firewall-cmd --reload"
renew_client
roamer_is_there
check "until then nothing is forwarded" is_stopped
check "it is done" on gateway bash -c 'firewall-cmd --permanent --zone=trusted --add-interface=office && firewall-cmd --reload'
check "the internet answers" ping_ok roamer "$INTERNET_V4"
check "wgctl down office" wgctl gateway down office
check "wgd is content" not_complained_of
stop "$FIREWALLD_PID"
on gateway nft flush ruleset
take_off gateway

heading "The real ufw, an administrator's own firewall, legacy iptables"
on gateway nft -f - <<<'table inet mine {
chain mine_forward { type filter hook forward priority 0; policy drop; iifname "office" accept
}
}'
check "the real ufw is turned on" on gateway ufw --force enable
check_shown "wgctl plan office" wgctl gateway plan office
check_says "ufw's" 'ufw route allow out on office`, and its peers in with `ufw allow '"$PEER_PORT"'/udp`'
check "what it says is done" on gateway bash -c 'ufw route allow in on office && ufw route allow out on office'
check_shown "wgctl plan office" wgctl gateway plan office
check "  ... which contents it" bash -c '! grep -q "ufw drops" "$1"' - "$SCENE/said"
check "ufw is turned off" on gateway ufw --force disable
on gateway nft flush ruleset
check_shown "a firewall that has a rule for the tunnel" wgctl gateway plan office
check "  ... is not complained of" bash -c '! grep -q "drops what" "$1"' - "$SCENE/said"
on gateway nft flush ruleset
if command -v iptables-legacy >/dev/null && on gateway iptables-legacy -P FORWARD DROP 2>/dev/null; then
    check_shown "wgctl plan office" wgctl gateway plan office
    check_says "legacy iptables" 'chain FORWARD of iptables-legacy'
    on gateway iptables-legacy -P FORWARD ACCEPT
else
    say "(no legacy iptables in this kernel: not looked at)"
fi

heading "A daemon that dies puts it right when it is back"
check "wgctl up office" wgctl gateway up office
renew_client
stop "$WGD_PID" KILL
start_wgd gateway
check "the internet still answers" ping_ok roamer "$INTERNET_V4"
check "wgctl down office" wgctl gateway down office
check "forwarding is off again" test "$(on gateway cat /proc/sys/net/ipv4/ip_forward)" = 0
finish
