#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The main job with the kernel's WireGuard under it: up, traffic, a daemon that is killed and comes back, down; then
# the same tunnel with wgd-datapath under it, and what the bus says of the two, property by property.
#
# Needs a kernel with WireGuard; tests/vm/run wgd boots one, with each of two modules. WGD_EXPECT_MODULE: what wgd is
# to call the module; WGD_SHORT=1: only up, traffic, the daemon's death and down; WGD_KEEP_VIEW: a file
# for what the bus says.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"
. "$WGD_SOURCE/tests/system/wire.sh"

need_tools wg jq socat ping busctl nft tcpdump
need_programs wgd wgctl wgd-datapath
enter_scene "$@"
ip link add wgprobe type wireguard 2>/dev/null || skip "this kernel has no WireGuard"
ip link delete wgprobe

# shellcheck disable=SC2034 # world.sh reads it
WGD_STOCK_PEER=kernel
make_world
provider_peer
make_payload "${WGD_KERNEL_MIB:-1}"
start_bus home
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
snapshot home "$SCENE/before"

state_of() { wgctl home status --json "$1" | jq -r '.. | .state? // empty' | sed -n 1p; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
properties_of() { # OBJECT-PATH INTERFACE
    on home busctl --json=short call org.wgd1 "$1" org.freedesktop.DBus.Properties GetAll s "$2" | jq -S '.data[0] | map_values(.data)'
}

# What the bus says of a tunnel and its peer: the names of everything there is, and every property's value, without
# those that tell time and traffic; and without the link-local address that the kernel gives a TUN device by itself and a
# wireguard link not: it is there, so Addresses tells it.
bus_view() { # TUNNEL FILE
    local tunnel=/org/wgd1/tunnel/$1 peer
    peer=$(on home busctl --json=short call org.wgd1 /org/wgd1 org.freedesktop.DBus.ObjectManager GetManagedObjects |
        jq -r '.data[0] | keys[] | select(contains("/peer/"))')
    {
        for path in "$tunnel" $peer; do on home busctl --list introspect org.wgd1 "$path" | awk '{ print $1, $2, $3 }'; done
        properties_of "$tunnel" org.wgd1.Tunnel | jq '.Addresses |= map(select(startswith("fe80:") | not))'
        for path in $peer; do
            properties_of "$path" org.wgd1.Peer | jq 'del(.LatestHandshake, .RxBytes, .TxBytes)'
        done
    } | sed "s|$tunnel/peer/[0-9]*|PEER|" >"$2"
}
# The counters are compared with what wg(8) says of the same device.
counters_agree() { # TUNNEL
    local ours stock
    for _ in 1 2 3 4 5; do # a keepalive may come between the two
        ours=$(wgctl home status --json "$1" | jq -r '[.. | .peers? // empty][0][0] | "\(.rx_bytes) \(.tx_bytes) \(.latest_handshake)"')
        stock=$(on home wg show "$1" dump | awk 'NR == 2 { print $6, $7, $5 }')
        [ "$ours" != "$stock" ] || return 0
        sleep 1.1 # what wgd reads is fresh to the second
    done
    echo "wgd: $ours, wg: $stock"
    return 1
}

heading "What wgd says of the kernel"
on home busctl --json=short get-property org.wgd1 /org/wgd1 org.wgd1.Manager Backends >"$SCENE/said"
quote <"$SCENE/said"
module=$(jq -r '.data[] | select(.[0] == "kernel")[1]' "$SCENE/said")
check "the kernel's module has a name: $module" test -n "$module"
[ -z "${WGD_EXPECT_MODULE:-}" ] || check "  ... the right one" test "$module" = "$WGD_EXPECT_MODULE"

heading "up"
wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
check_shown "wgctl up home" wgctl home up home
check "the link is the kernel's" bash -c 'nsenter -t "$1" -n ip -details link show home | grep -qw wireguard' - "${MACHINE_PID[home]}"
check_shown "wgctl status home" wgctl home status home
check_says "it says what carries it" "kernel.*$module"
check "ping, IPv4" ping_ok home "$INTERNET_V4"
check "ping, IPv6" ping_ok home "$INTERNET_V6"
transfer "upload" home internet "$INTERNET_V4"
transfer "download, IPv6" internet home "$TUNNEL_V6"
check "counters and handshake are those that wg shows" counters_agree home
check "mark, table and rules of a full tunnel" bash -c '
    mark=$(nsenter -t "$1" -n wg show home fwmark) && [ "$mark" != off ] &&
    nsenter -t "$1" -n ip -4 rule | grep -q "not from all fwmark $mark lookup $((mark))" &&
    nsenter -t "$1" -n ip -6 rule | grep -q "not from all fwmark $mark lookup $((mark))" &&
    nsenter -t "$1" -n ip route show table $((mark)) | grep -q "default dev home"' - "${MACHINE_PID[home]}"
check "the nftables rules of a full tunnel" bash -c 'nsenter -t "$1" -n nft list ruleset | grep -q "table .* wgd-"' - "${MACHINE_PID[home]}"
wire_check "$PLAINTEXT_MARKER"
bus_view home "$SCENE/kernel-view"
on home ip -oneline link show home | cut -d: -f1 >"$SCENE/index"
on home wg show home dump | cut -f1-4 >"$SCENE/device"

[ -z "${WGD_KEEP_VIEW:-}" ] || cp "$SCENE/kernel-view" "$WGD_KEEP_VIEW"

heading "wgd is killed, and comes back"
stop "$WGD_PID" KILL
check "the tunnel carries on without it" ping_ok home "$INTERNET_V4"
start_wgd home
check "it is up for the new one" wait_for 10 "up" is_state home up
on home ip -oneline link show home | cut -d: -f1 >"$SCENE/index-now"
check_same "the same link" "$SCENE/index" "$SCENE/index-now"
on home wg show home dump | cut -f1-4 >"$SCENE/device-now"
check_same "the same keys, endpoint, allowed IPs" "$SCENE/device" "$SCENE/device-now"
bus_view home "$SCENE/adopted-view"
check_same "the same on the bus" "$SCENE/kernel-view" "$SCENE/adopted-view"

# What may happen to a tunnel that is up.
life() {
    heading "wgctl reload under a TCP stream"
    start_numbers internet
    receive_numbers home "$INTERNET_V4"
    stream=$STARTED
    check "it flows" flows 10
    handshake_of() { on home wg show home latest-handshakes | grep "^$PEER_PUBLIC"; }
    handshake_of >"$SCENE/handshake"
    {
        full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^\[Interface\]/a MTU = 1300'
        for i in $(seq 1 20); do
            printf '\n[Peer]\nPublicKey = %s\nAllowedIPs = 172.20.%d.0/24\n' "$(head -c 32 /dev/urandom | base64)" "$i"
        done
    } | write_profile home home
    check "reload: 20 peers more, 20 routes, another MTU" wgctl home reload home
    check "21 peers" test "$(on home wg show home peers | wc -l)" = 21
    check "20 routes" test "$(on home ip -4 route show table main dev home | grep -c '^172.20.')" = 20
    check "the MTU" grep -q 'mtu 1300' <(on home ip link show home)
    check "the stream flows" flows 10
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
    check "reload: back to what was" wgctl home reload home
    check "one peer" test "$(on home wg show home peers | wc -l)" = 1
    check "the stream flows" flows 10
    handshake_of >"$SCENE/handshake-now"
    check_same "no handshake was made again" "$SCENE/handshake" "$SCENE/handshake-now"
    kill "$stream"

    heading "Somebody takes parts of it away"
    tunnel_state() { # FILE
        on home bash -c '
            ip -o link show dev home | sed -E "s/^[0-9]+: //; s/ link\/.*//"
            ip -o address show dev home | sed -E "s/^[0-9]+: //" | sort
            for family in -4 -6; do ip $family route show table all dev home | sort; ip $family rule show; done
            wg show home fwmark' >"$1" 2>/dev/null
    }
    is_back() {
        tunnel_state "$SCENE/now"
        cmp -s "$SCENE/tunnel" "$SCENE/now"
    }
    tunnel_state "$SCENE/tunnel"
    table=$(on home ip -4 -j rule show | jq -r "[.[] | select(has(\"not\") and has(\"fwmark\"))][0].table")
    for what in "ip route delete default table $table" "ip -6 rule delete not fwmark $table table $table" \
        "ip address delete $TUNNEL_V4/32 dev home" "ip link set dev home mtu 1280" "ip link set dev home down"; do
        on home $what # words
        check "$what: it is put back" wait_for 10 "$what" is_back
    done
    check "traffic flows" ping_ok home "$INTERNET_V6"

    heading "The link is taken away by someone else"
    on home ip link delete home
    check "the tunnel is failed" wait_for 10 "failed" is_state home failed
    check "the next up works" wgctl home up home
    check "  ... and traffic flows" ping_ok home "$INTERNET_V6"
}
[ -n "${WGD_SHORT:-}" ] || life

heading "down"
check_shown "wgctl down home" wgctl home down home
snapshot home "$SCENE/after"
# The kernel's WireGuard turns ICMP redirects off for the whole network namespace when a link of it comes up, and leaves
# them so. It is the module's doing, whoever brings the link up, and nobody's to undo while others may exist.
sed 's|^\(/proc/sys/net/ipv4/conf/all/send_redirects\):1$|\1:0|' "$SCENE/before" >"$SCENE/expected"
check_same "the machine is as before, but for send_redirects" "$SCENE/expected" "$SCENE/after"
cp "$SCENE/after" "$SCENE/before"
stop "$WGD_PID"
[ -z "${WGD_SHORT:-}" ] || finish

heading "In a network namespace of its own"
printf '[tunnel.home]\nnetns = "vpn"\n' >"$SCENE/home/wgd.toml"
start_wgd home
check "up" wgctl home up home
check "the link is in there, and the kernel's" bash -c 'nsenter -t "$1" -n -m -r -w/ ip -n vpn -details link show home | grep -qw wireguard' - "${MACHINE_PID[home]}"
check "what runs in there goes through the tunnel" wgctl home exec home -- ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "  ... and what does not goes as before" test "$(on home ip -j route get "$INTERNET_V4" | jq -r '.[0].dev')" = eth0
stop "$WGD_PID" KILL
start_wgd home
check "killed, and up again in there" wait_for 10 "up" is_state home up
check "  ... works" wgctl home exec home -- ping -n -c 1 -W 5 "$INTERNET_V6"
check "down" wgctl home down home
check "the namespace is gone" test -z "$(on home ip netns list)"
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
stop "$WGD_PID"
rm "$SCENE/home/wgd.toml"

heading "Keys, endpoints and peers by netlink: many peers, every kind of address"
{
    printf '[Interface]\nPrivateKey = %s\nAddress = 10.66.0.1/16\nListenPort = 5555\nTable = off\n' "$HOME_KEY"
    for i in {1..60}; do
        printf '[Peer]\nPublicKey = %02dAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nAllowedIPs = ' "$i"
        for j in {0..39}; do printf '10.66.%d.%d/32, fd66:%x:%x::/64, ' "$i" "$j" "$i" "$j"; done
        printf '10.67.%d.0/24\nEndpoint = %s\nPersistentKeepalive = %d\nPresharedKey = %s\n' "$i" \
            "$([ $((i % 2)) = 0 ] && echo "192.0.2.$i:100$i" || echo "[2001:db8:1::$i]:100$i")" "$((600 + i))" "$PSK"
    done
} >"$SCENE/many.conf"
write_profile home many <"$SCENE/many.conf"
start_wgd home
check "up with 60 peers of 81 prefixes each" wgctl home up many
# One prefix a line: their order is the kernel's affair.
settings_of() { # LINK
    on home wg showconf "$1" | awk '/^AllowedIPs/ { gsub(/,/, ""); for (i = 3; i <= NF; i++) print key, $i; next }
        /^PublicKey/ { key = $3 } NF && !/^ListenPort/ { print key, $0 }' | sort
}
settings_of many >"$SCENE/shown"
on home ip link add stock type wireguard
grep -vE '^(Address|Table)' "$SCENE/many.conf" | sed '/^ListenPort/d' >"$SCENE/many.stripped"
on home wg setconf stock "$SCENE/many.stripped"
settings_of stock >"$SCENE/expected"
check "port as asked for" test "$(on home wg show many listen-port)" = 5555
on home ip link delete stock
check_same "as wg setconf would have configured it ($(wc -l <"$SCENE/shown") lines)" "$SCENE/expected" "$SCENE/shown"
check "status counts them" test "$(wgctl home status --json many | jq '[.. | .peers? // empty][0] | length')" = 60
check "down" wgctl home down many
on home rm /etc/wireguard/many.conf
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
stop "$WGD_PID"

heading "mtu_probe: the provider takes no packet above 1400, and says nothing"
printf '[tunnel.home]\nmtu_probe = true\n' >"$SCENE/home/wgd.toml"
on provider ip link set eth0 mtu 1400
start_wgd home
check "up" wgctl home up home
mtu_fits() { grep -qE 'mtu 13(1[3-9]|20) ' <(on home ip link show home); } # found by halving
check "the link's MTU becomes the path's, less 80: 1313 to 1320" wait_for 60 "the MTU" mtu_fits
check "a full packet gets through" on home ping -n -c 1 -W 5 -M "do" -s 1285 "$INTERNET_V4"
check "down" wgctl home down home
on provider ip link set eth0 mtu 1500
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
stop "$WGD_PID"

heading "The same tunnel with wgd-datapath: the bus says the same"
printf '[tunnel.home]\nbackend = "userspace"\n' >"$SCENE/home/wgd.toml"
start_wgd home
check "up" wgctl home up home
check "ping" ping_ok home "$INTERNET_V4"
check "counters and handshake are those that wg shows" counters_agree home
bus_view home "$SCENE/userspace-view"
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
# Different by their nature: which backend and why, and the numbers that the kernel gives out anew each time.
different='"(Backend|BackendReason|Ifindex|ListenPort)":'
for view in kernel userspace; do
    check "$view: the view has these properties" test "$(grep -cE "$different" "$SCENE/$view-view")" = 4
    sed -E "/$different/d" "$SCENE/$view-view" >"$SCENE/$view-compared"
done
check_same "equal, but for backend, its reason, index and random port ($(wc -l <"$SCENE/kernel-compared") lines)" \
    "$SCENE/kernel-compared" "$SCENE/userspace-compared"
check "userspace says why" grep -q 'BackendReason.*wgd-datapath' "$SCENE/userspace-view"
finish
