#!/bin/bash
# SPDX-License-Identifier: MIT
# The stock clients understand us, and what they introspect is what dbus/*.xml documents.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
need busctl systemd
need gdbus libglib2.0-bin
start_bus
start_daemon
TUNNEL=/org/wgd1/tunnel/home

expect 0 "busctl: Up" busctl --system call org.wgd1 /org/wgd1 org.wgd1.Manager Up 'sa{sv}' home 0
has "answers the tunnel's object" "$out" "^o \"$TUNNEL\"\$"
expect 0 "busctl: a path with escapes" busctl --system call org.wgd1 /org/wgd1 org.wgd1.Manager Up 'sa{sv}' wg-0.b 0
has "is encoded as sd_bus_path_encode does" "$out" '"/org/wgd1/tunnel/wg_2d0_2eb"'
expect 0 "busctl: tree" busctl --system tree org.wgd1
has "tunnel and peers are in it" "$(tr -d '\n' <<<"$out")" "$TUNNEL.*$TUNNEL/peer/0.*$TUNNEL/peer/1"
expect 0 "busctl: a property" busctl --system get-property org.wgd1 $TUNNEL org.wgd1.Tunnel Addresses
has "with its type" "$out" '^as 2 "10.9.0.2/32" "fd09::2/128"$'
expect 0 "busctl: GetPeers" busctl --system call org.wgd1 $TUNNEL org.wgd1.Tunnel GetPeers uu 0 0
has "two peers of two" "$out" '^aa\{sv\}u 2 .* 2$'
expect 0 "busctl: GetPeers, the second page" busctl --system call org.wgd1 $TUNNEL org.wgd1.Tunnel GetPeers uu 1 1
has "one peer of two" "$out" '^aa\{sv\}u 1 .* 2$'
expect 0 "busctl: GetPeers beyond the end" busctl --system call org.wgd1 $TUNNEL org.wgd1.Tunnel GetPeers uu 4294967295 4294967295
has "none of two" "$out" '^aa\{sv\}u 0 2$'
expect 0 "busctl: Version" busctl --system get-property org.wgd1 /org/wgd1 org.wgd1.Manager Version
has "a version" "$out" '^s "[0-9]+\.[0-9]+\.[0-9]+"$'
expect 0 "busctl: Lockdown" busctl --system get-property org.wgd1 /org/wgd1 org.wgd1.Manager Lockdown
has "in force" "$out" 's "lan"'
expect 0 "busctl: Backends" busctl --system get-property org.wgd1 /org/wgd1 org.wgd1.Manager Backends
has "two backends" "$out" '^a\(ss\) 2 "kernel"'
expect 0 "gdbus: GetManagedObjects" gdbus call --system --dest org.wgd1 --object-path /org/wgd1 --method org.freedesktop.DBus.ObjectManager.GetManagedObjects
has "tunnels and peers" "$out" "$TUNNEL'.*org.wgd1.Tunnel.*$TUNNEL/peer/0'.*org.wgd1.Peer"
expect 0 "gdbus: ListProfiles" gdbus call --system --dest org.wgd1 --object-path /org/wgd1 --method org.wgd1.Manager.ListProfiles
has "the tunnel's object beside the profile" "$out" "'Tunnel': <objectpath '$TUNNEL'>"
expect 1 "gdbus: an error" gdbus call --system --dest org.wgd1 --object-path /org/wgd1 --method org.wgd1.Manager.Up err-6 '{}'
has "has its name" "$err" "org.wgd1.Error.Conflict"
expect 1 "an option nobody knows is refused" busctl --system call org.wgd1 /org/wgd1 org.wgd1.Manager Up 'sa{sv}' home 1 kill_switch b true
has "by its name" "$err" "unknown option 'kill_switch'"

# Introspection against the contract: names, types, access and annotations, in document order.
shape() {
    tr '\n' ' ' | sed -E 's/<!--([^-]|-[^-])*-->//g; s/>/>\n/g' | grep -oE '<(method|arg|property|annotation|interface|signal) [^>]*>' |
        grep -vE 'Method\.(Async|NoReply)|DocString' | sed -E 's/ +/ /g; s/ ?\/>/>/' | awk '
            # attributes in one order; a default annotation and the direction a client assumes left out
            { n = split($0, part, /" /); delete a; for (i = 1; i <= n; i++) if (match(part[i], /[a-z]+="/)) {
                key = substr(part[i], RSTART, RLENGTH - 2); value = substr(part[i], RSTART + RLENGTH); sub(/".*/, "", value); a[key] = value }
              match($0, /^<[a-z]+/); print substr($0, 2, RLENGTH - 1), a["name"], a["type"], a["direction"], a["access"], a["value"] }'
}
for pair in Manager:/org/wgd1 Tunnel:$TUNNEL Peer:$TUNNEL/peer/0; do
    interface=org.wgd1.${pair%%:*}
    shape <"$WGD_SOURCE/dbus/$interface.xml" >"$DIR/contract"
    busctl --system introspect --xml-interface org.wgd1 "${pair#*:}" |
        sed -n "/<interface name=\"$interface\">/,/<\/interface>/p" | shape | grep -v 'EmitsChangedSignal.*true' >"$DIR/live"
    if [ -s "$DIR/contract" ] && diff <(sort "$DIR/contract") <(sort "$DIR/live") >"$DIR/diff"; then
        pass "introspection of $interface is what its XML says ($(wc -l <"$DIR/contract") lines)"
    else
        fail "introspection of $interface differs from its XML"
        cat "$DIR/diff"
    fi
done
finish
