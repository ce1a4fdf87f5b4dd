#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a tunnel makes of DNS, firewall, kill switch and sysctls, taken away or changed by somebody: each comes back by
# itself, soon, and as it was. (Links, addresses, routes and rules: drift.sh. systemd-resolved, resolvconf and
# NetworkManager: dns.sh.)
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg wireguard-go nft ping
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
cat >"$SCENE/home/wgd.toml" <<EOT
[tunnel.home]
kill_switch = true
[tunnel.gate]
masquerade = true
isolate_peers = true
EOT
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
write_profile home gate <<EOT
[Interface]
PrivateKey = $(wg genkey)
Address = 10.8.0.1/24, fd08::1/64
ListenPort = 51999
EOT
start_wgd home
snapshot home "$SCENE/before"
check "up" wgctl home up home
check "up, the gateway" wgctl home up gate

# What this is about, as text.
network() { # FILE
    on home bash -c '
        for table in wgd-lock wgd-home wgd-gate; do nft list table inet $table; done
        cd /proc/sys/net
        grep -H "" ipv4/ip_forward ipv6/conf/all/forwarding ipv4/conf/{all,eth0,gate}/forwarding ipv4/conf/all/accept_redirects \
            ipv4/conf/all/src_valid_mark ipv4/conf/all/arp_ignore
        ls -l --time-style=+ /etc/resolv.conf; cat /etc/resolv.conf' >"$1" 2>&1
}
is_back() {
    network "$SCENE/now"
    cmp -s "$SCENE/network" "$SCENE/now"
}
LIMIT=$((2000 * ${WGD_PATIENCE:-1})) # ms; a busy machine may take one second more than it should
# A gateway that is put back for the fifth time in a row has to wait (drift.sh): each object is touched once or twice.
taken() { # DESCRIPTION COMMAND...
    local description=$1 begin took
    shift
    begin=$(date +%s%N)
    on home "$@" >"$SCENE/out" 2>&1 || {
        fail "$description: could not be taken away" "$SCENE/out"
        return
    }
    if ! wait_for 10 "$description" is_back; then
        diff -u "$SCENE/network" "$SCENE/now" >"$SCENE/diff"
        fail "$description" "$SCENE/diff"
        return
    fi
    took=$((($(date +%s%N) - begin) / 1000000))
    check "$description: back after $took ms" test "$took" -lt "$LIMIT"
}
network "$SCENE/network"

heading "The firewall"
taken "the kill switch's table" nft delete table inet wgd-lock
taken "the rules of one of its chains" nft flush chain inet wgd-lock leaving
taken "a rule that lets everything out" nft insert rule inet wgd-lock leaving accept
taken "the full tunnel's table" nft delete table inet wgd-home
taken "the gateway's table" nft delete table inet wgd-gate
taken "its masquerading" nft flush chain inet wgd-gate postnat
taken "a rule that lets peers reach each other" nft insert rule inet wgd-gate passing accept
taken "the whole ruleset" nft flush ruleset
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"

heading "Sysctls"
taken "IPv4 forwarding" bash -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
taken "IPv6 forwarding" bash -c 'echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
taken "src_valid_mark, which the kernel announces to nobody" bash -c 'echo 0 >/proc/sys/net/ipv4/conf/all/src_valid_mark'
taken "arp_ignore, the same" bash -c 'echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore'

heading "DNS"
taken "resolv.conf, overwritten" bash -c 'echo "nameserver 192.0.2.99" >/etc/resolv.conf; echo "nameserver 192.0.2.53" >/etc/resolv.conf'
taken "resolv.conf, replaced" bash -c 'echo "nameserver 192.0.2.53" >/etc/.new && mv /etc/.new /etc/resolv.conf'
check "the log tells of each" test "$(grep -cE 'put back' "$SCENE/home/wgd.log")" -ge 12
check "the tunnel works" on home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"

heading "down"
check "down" wgctl home down gate
check "down" wgctl home down home
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
finish
