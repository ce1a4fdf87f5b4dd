#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same profile, the same changes with wg(8) and ip(8), saved by `wgctl save` and by stock `wg-quick save`: the same
# tunnel is in both files, but ours has lost nothing (compat C7, D5). Then SaveConfig, and what a save refuses.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"

need_tools wg wg-quick wireguard-go jq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

machine home
machine stock
make_keys
start_bus home
start_wgd home
FIRST=$(wg genkey | wg pubkey) SECOND=$(wg genkey | wg pubkey)

profile() { # MORE-INTERFACE-LINES
    cat <<EOT
# The way into the office. Ask Ana before changing it.
[Interface]
PrivateKey = $HOME_KEY
Address = 10.5.0.2/24   # from the pool
ListenPort = 51999
DNS = 10.5.0.1, corp.lan
PostUp = true # %i
$1

# friendly_name = office
[Peer]
PublicKey = $PEER_PUBLIC
PresharedKey = $PSK
Endpoint = office.example.net:51820 # not an address
AllowedIPs = 10.5.0.0/24, 10.6.0.0/16
PersistentKeepalive = 25

### Client laptop
[Peer]
PublicKey = $FIRST
AllowedIPs = 10.5.0.7/32
EOT
}

# No name service and no resolvconf here: the name is in hosts, DNS goes nowhere.
for machine in home stock; do
    on "$machine" bash -c 'echo "203.0.113.7 office.example.net" >>/etc/hosts'
    on "$machine" ip link add dummy0 type dummy
    on "$machine" ip address add 192.0.2.2/24 dev dummy0
    on "$machine" ip link set dummy0 up
    on "$machine" ip route add default via 192.0.2.1
done
profile "" | write_profile home t
profile "" | grep -v '^DNS' | write_profile stock t
cp "$SCENE/home/upper/wireguard/t.conf" "$SCENE/original" 2>/dev/null || profile "" >"$SCENE/original"

heading "Nothing was changed"
check "up" wgctl home up t
check "up with wg-quick" on stock env WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go wg-quick up t
check_shown "save" wgctl home save t
check_says "  ... has nothing to save" "nothing to save"
on home cat /etc/wireguard/t.conf >"$SCENE/saved"
check_same "the file is as it was" "$SCENE/original" "$SCENE/saved"

heading "Changes with wg and ip"
for machine in home stock; do
    on "$machine" wg set t listen-port 52000 peer "$PEER_PUBLIC" persistent-keepalive 0 allowed-ips 10.6.0.0/16,10.8.0.0/16
    on "$machine" wg set t peer "$FIRST" remove
    on "$machine" wg set t peer "$SECOND" allowed-ips 10.5.0.9/32 endpoint 198.51.100.9:9
    on "$machine" ip address add 10.5.9.2/24 dev t
done
on home chmod 0640 /etc/wireguard/t.conf
check_shown "save" wgctl home save t
check "save with wg-quick" on stock wg-quick save t
on home cat /etc/wireguard/t.conf >"$SCENE/saved"
quote <"$SCENE/saved" | grep -v Key
for kept in "# The way into the office. Ask Ana before changing it." "# from the pool" "# friendly_name = office" \
    "office.example.net:51820 # not an address" "DNS = 10.5.0.1, corp.lan" "PostUp = true # %i"; do
    check "kept: $kept" grep -qF -- "$kept" "$SCENE/saved"
done
check "mode and owner are kept" test "$(on home stat -c '%a %u' /etc/wireguard/t.conf)" = "640 0"
check "nothing else is left in the directory" test "$(on home ls -A /etc/wireguard)" = t.conf
# As the stock device takes it; the name, which wg-quick has replaced by what it resolved to, resolves to that.
canonical() { # MACHINE
    on "$1" wg-quick strip t >"$SCENE/stripped" 2>/dev/null
    on stock wg setconf t "$SCENE/stripped" && on stock wg show t dump | tr ',\t' '\n\n' | sort
}
canonical stock >"$SCENE/theirs" && canonical home >"$SCENE/ours"
check "there is something to compare" test -s "$SCENE/theirs"
check_same "to wg(8), both files are the same" "$SCENE/theirs" "$SCENE/ours"
addresses() { on "$1" cat /etc/wireguard/t.conf | sed -n 's/^Address *= *//p' | sed 's/#.*//' | tr -d ' ' | tr ',' '\n' | grep -v '^fe80' | sort; }
addresses home >"$SCENE/ours" && addresses stock >"$SCENE/theirs"
check_same "and they have the same addresses" "$SCENE/theirs" "$SCENE/ours"
check_shown "a reload of what was saved" wgctl home reload t
check "  ... and the route that wg(8) does not make is there" grep -q 10.8.0.0/16 <(on home ip route show dev t)
check "  ... and the peers are the same" grep -qF "$SECOND" <(on home wg show t peers)

heading "A file that somebody edited meanwhile"
on home wg set t listen-port 52001
on home bash -c 'echo "# a note" >>/etc/wireguard/t.conf'
check_refused "save refuses" 7 "has changed since it was applied" wgctl home save t
check "and does not touch it" grep -q "ListenPort = 52000" <(on home cat /etc/wireguard/t.conf)
check_shown "by force" wgctl home save t --force
check "both are there" test "$(on home grep -cE 'ListenPort = 52001|# a note' /etc/wireguard/t.conf)" = 2
check "down" wgctl home down t
on stock wg-quick down t >/dev/null 2>&1

heading "SaveConfig = true"
profile "SaveConfig = true" | write_profile home t
check "up" wgctl home up t
on home wg set t peer "$SECOND" allowed-ips 10.5.0.9/32
check "down" wgctl home down t
check "saved" grep -qF "$SECOND" <(on home cat /etc/wireguard/t.conf)
check "with its comments" grep -q "Ask Ana" <(on home cat /etc/wireguard/t.conf)
check "no key is in the log" bash -c '! grep -qF -e "$1" -e "$2" "$3"' - "$HOME_KEY" "$PSK" "$SCENE/home/wgd.log"
finish
