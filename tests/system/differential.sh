#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same profiles through stock wg-quick + wireguard-go and through wgd, on two machines that are alike; then the
# two machines are compared (facts.sh): links, addresses, routes and rules of all tables and both families, the
# device, nftables, sysctls, the calls that hooks made; and the calls made on the way down.
#
#   profiles/NAME.conf      the first line says what it is about. "# With: OTHER" in the second: OTHER is up before.
#   profiles/NAME.differs   where the two differ on purpose: the difference, under a comment with its reason. One that
#                           is not in it fails, and so does one that is gone.
#   profiles/NAME.stock     given to wg-quick instead, with the reason in a comment: for what Debian's refuses
#
# The keys in profiles/ were made for this test and are used nowhere; addresses are for documentation (RFC 5737,
# RFC 3849) or private. Debian 12's wg-quick is 1.0.20210914; where later versions behave otherwise, wgd follows
# 1.0.20260223, and the .differs file says so.
#
# Defects of wg-quick that wgd is not to have (shared knowledge, D1..D15) have their own test: wg_quick_defects.sh.
here=$(dirname "${BASH_SOURCE[0]}")
WGD_SOURCE=${WGD_SOURCE:-$(cd "$here/../.." && pwd)}
. "$here/scene.sh"
. "$here/world.sh"

need_tools wg wg-quick wireguard-go jq diff nft
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

TOOLS=$SCENE/tools # found before everything else, by both

# A machine with a way out, and a second way of smaller MTU.
make_machine() { # NAME NEIGHBOUR-LINK
    machine "$1"
    cable "$1" eth0 neighbour "$2"
    on "$1" bash -euc "
        mount --bind $TOOLS /usr/local/sbin
        ip address add $HOME_V4/24 dev eth0
        ip address add $HOME_V6/64 dev eth0 nodad
        ip route add default via 192.0.2.1
        ip route add default via 2001:db8:1::1
        ip route add 203.0.113.77/32 via 192.0.2.1 mtu 1300
        ip route add 2001:db8:3::77/128 via 2001:db8:1::1 mtu 1400
        ip route add 198.51.100.0/24 via 192.0.2.9
        install -d /etc/iproute2/rt_tables.d
        echo '4321 lab' >/etc/iproute2/rt_tables.d/lab.conf"
    on "$1" bash "$WGD_SOURCE/tests/system/facts.sh" sysctls >"$SCENE/$1/sysctls"
}

# Programs that profiles call: they write down that they were called, and with what. wg-quick refuses DNS= without a
# resolvconf; not compared what it is handed, because wgd does not set DNS yet.
mkdir -p "$TOOLS"
for tool in iptables ip6tables touch-it; do
    printf '#!/bin/sh\necho "%s $*" >>/run/called\n' "$tool" >"$TOOLS/$tool"
done
printf '#!/bin/sh\ncat >/dev/null\n' >"$TOOLS/resolvconf"
chmod +x "$TOOLS"/*

other_of() { sed -n '2s/^# With: //p' "$here/profiles/$1.conf"; }

# Every profile on one machine: its facts in $SCENE/MACHINE/facts/NAME.up and .down; NAME.trouble if it failed.
run_profiles() { # MACHINE VERB...
    local machine=$1 name other dir=$SCENE/$1/facts
    shift
    mkdir -p "$dir"
    for name in "${NAMES[@]}"; do
        other=$(other_of "$name")
        {
            if [ -n "$other" ]; then "$@" up "$other" || continue; fi
            "$@" up "$name" || continue
        } >"$dir/$name.log" 2>&1
        on "$machine" bash "$WGD_SOURCE/tests/system/facts.sh" tunnel "$name" "/etc/wireguard/$name.conf" "$SCENE/$machine/sysctls" \
            >"$dir/$name.up" 2>&1
        on "$machine" rm -f /run/called
        "$@" down "$name" >>"$dir/$name.log" 2>&1 || continue
        on "$machine" cat /run/called >"$dir/$name.down" 2>/dev/null
        if [ -n "$other" ]; then "$@" down "$other" >>"$dir/$name.log" 2>&1 || continue; fi
        on "$machine" rm -f /run/called
        rm "$dir/$name.log"
        [ "$machine" = stock ] || snapshot "$machine" "$dir/$name.after"
        # wg-quick leaves it at 1 (D12), and the next comparison would not see who set it.
        [ "$machine" != stock ] || on stock sysctl -q net.ipv4.conf.all.src_valid_mark=0
    done
}

on_stock() { on stock env PATH="/usr/local/sbin:$PATH" wg-quick "$@"; }
on_ours() { wgctl ours "$@"; }

heading "Two machines that are alike"
machine neighbour
make_machine stock s0
make_machine ours s1
NAMES=()
for file in "$here"/profiles/*.conf; do
    name=$(basename "$file" .conf)
    NAMES+=("$name")
    if [ -e "${file%.conf}.stock" ]; then write_profile stock "$name" <"${file%.conf}.stock"; else write_profile stock "$name" <"$file"; fi
    write_profile ours "$name" <"$file"
done
say "${#NAMES[@]} profiles"
start_bus ours
start_wgd ours
snapshot ours "$SCENE/before"

run_profiles stock on_stock &
stock_run=$!
run_profiles ours on_ours
wait "$stock_run"

for name in "${NAMES[@]}"; do
    file=$here/profiles/$name.conf stock=$SCENE/stock/facts/$name ours=$SCENE/ours/facts/$name
    heading "$name: $(sed -n '1s/^# //p' "$file" | tr -d '\r')"
    if [ -e "$stock.log" ] || [ -e "$ours.log" ]; then
        [ ! -e "$stock.log" ] || fail "wg-quick $name" "$stock.log"
        [ ! -e "$ours.log" ] || fail "wgctl $name" "$ours.log"
        continue
    fi
    if [ -e "${file%.conf}.stock" ]; then sed -n 's/^# //p' "${file%.conf}.stock" | quote; fi
    grep -q '^device ' "$stock.up" || fail "$name: the facts of wg-quick's tunnel were read" "$stock.up"
    {
        diff "$stock.up" "$ours.up" | grep '^[<>]'
        diff "$stock.down" "$ours.down" | sed -n 's/^[<>]/& down:/p'
    } >"$SCENE/differs"
    grep -v '^#' "$here/profiles/$name.differs" 2>/dev/null >"$SCENE/justified"
    if [ -s "$SCENE/justified" ]; then sed -n 's/^# //p' "$here/profiles/$name.differs" | quote; fi
    check_same "$name: equal to wg-quick ($(wc -l <"$stock.up") facts), but for $(wc -l <"$SCENE/justified") justified differences" \
        "$SCENE/justified" "$SCENE/differs"
    check_same "$name: after down the machine is as before" "$SCENE/before" "$ours.after"
done
check "at least 40 profiles were compared" test "${#NAMES[@]}" -ge 40
finish
