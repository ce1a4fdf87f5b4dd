#!/bin/bash
# SPDX-License-Identifier: MIT
# What any local user hears without asking: that something changed, never where a peer is or what it does.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
need dbus-monitor dbus-bin
need busctl systemd
start_bus
start_daemon

as_nobody dbus-monitor --system "type='signal',sender='org.wgd1'" >"$DIR/heard" 2>&1 &
STARTED+=($!)
# The monitor is there once the bus has acknowledged its first signal.
wait_for 10 "the monitor" grep -q NameAcquired "$DIR/heard"

for name in home roam oops grow shrink roam; do "$WGCTL" up $name >/dev/null 2>&1; done
"$WGCTL" up slow >/dev/null
"$WGCTL" status >/dev/null
"$WGCTL" down home >/dev/null
wait_for 10 "the last signal" grep -q InterfacesRemoved "$DIR/heard"
wait_for 10 "home to be withdrawn" bash -c 'grep -A40 InterfacesRemoved "$1" | grep -q "/tunnel/home\""' - "$DIR/heard"
heard=$(sed "s/ time=[0-9.]*//" "$DIR/heard") # a time may hold any digits

has "a tunnel appears" "$heard" 'member=InterfacesAdded'
has "its state is told" "$heard" 'string "State"'
has "resolving, applying, up are told as they come" "$(grep -oE '"(resolving|applying|up)"' <<<"$heard" | uniq | tr '\n' ' ')" '"resolving" "applying" "up"'
has "a changed MTU is told with its value" "$heard" 'uint32 1380'
has "a changed error is announced" "$heard" 'string "LastError"'
has "peers appear and vanish" "$heard" '/org/wgd1/tunnel/home/peer/2'
has_not "no endpoint" "$heard" '203\.0\.113\.77|198\.51\.100\.88|4242'
has_not "no endpoint's name, not in errors and warnings either" "$heard" 'vpn\.example|secret-host'
has_not "no counter" "$heard" 'RxBytes|TxBytes|LatestHandshake|uint64'
has_not "no state of a peer" "$heard" '"(active|idle|failing|never)"'

# The values are there for those who ask.
"$WGCTL" up home >/dev/null
"$WGCTL" up oops >/dev/null 2>&1
expect 0 "LastError, asked for" as_nobody busctl --system get-property org.wgd1 /org/wgd1/tunnel/home org.wgd1.Tunnel LastError
has "is told" "$out" "secret-host.example"
before=$(busctl --system get-property org.wgd1 /org/wgd1/tunnel/home/peer/0 org.wgd1.Peer RxBytes)
sleep 0.6 # longer than readings are shared
after=$(busctl --system get-property org.wgd1 /org/wgd1/tunnel/home/peer/0 org.wgd1.Peer RxBytes)
if [ "${after#t }" -gt "${before#t }" ]; then pass "a counter is read afresh"; else fail "RxBytes stays at $before, $after"; fi
expect 0 "all that GetAll tells of a peer" busctl --system call org.wgd1 /org/wgd1/tunnel/home/peer/0 org.freedesktop.DBus.Properties GetAll s org.wgd1.Peer
has_not "has no key but the public one" "$(grep -oE '"[A-Za-z]*Key"' <<<"$out" | sort -u | grep -vE '^"(PublicKey|HasPresharedKey)"$')" .
finish
