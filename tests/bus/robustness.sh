#!/bin/bash
# SPDX-License-Identifier: MIT
# Every method with arguments of the wrong type, none, empty, odd and huge: an error each time, and the daemon lives.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
need busctl systemd
start_bus
start_daemon
"$WGCTL" up home >/dev/null || fail "up"
T=/org/wgd1/tunnel/home

# Argument lists that fit no method, or fit one and mean nothing.
arguments=("" "s home" "s ''" "ss home up" "ss home ''" "i 1" "as 0" "a{sv} 0" "sa{sv} '' 0" "sa{sv} ../../x 0" "sa{sv} -rf 0"
    "sa{sv} . 0" "sa{sv} 'a b' 0" "sa{sv} 'a/b' 0" "sa{sv} sixteen-letters- 0" "sa{sv} ümläut 0" "sa{sv} home 1 x s y"
    "sa{sv} home 2 x s y x s y" "sa{ss} home 0" "o /" "v s x" "uu 0 0 " "ii 0 0" "u 0" "t 1" "ay 3 1 2 3" "'(ss)' a b"
    "g s" "d 1.5" "b true" "aas 0" "a{sa{sv}} 0" "n -1" "sss a b c" "ss throws up" "sa{sv} throws 0" "s throws")
calls=0 errors=0
for target in "/org/wgd1 org.wgd1.Manager Up" "/org/wgd1 org.wgd1.Manager Down" "/org/wgd1 org.wgd1.Manager Plan" \
    "/org/wgd1 org.wgd1.Manager Check" "/org/wgd1 org.wgd1.Manager ListProfiles" "$T org.wgd1.Tunnel GetPeers" \
    "/org/wgd1 org.wgd1.Manager NoSuch" "$T/peer/0 org.wgd1.Peer NoSuch" "/org/wgd1/none org.wgd1.Tunnel GetPeers"; do
    for words in "${arguments[@]}"; do
        eval "set -- $words"
        # shellcheck disable=SC2086 # the target is three words
        timeout 20 busctl --system call org.wgd1 $target "$@" >"$DIR/out" 2>"$DIR/err"
        status=$?
        calls=$((calls + 1))
        [ $status = 0 ] || errors=$((errors + 1))
        [ $status != 124 ] || fail "$target $words: no answer"
        if ! kill -0 "$DAEMON_PID" 2>/dev/null; then
            fail "$target $words: killed the daemon"
            finish
        fi
    done
done
daemon_lives "$calls calls, $errors of them refused"
[ $errors -gt $((calls * 9 / 10)) ] || fail "too few were refused"

for interface in org.wgd1.Manager org.wgd1.Tunnel org.wgd1.Peer org.wgd1.None ""; do
    for path in / /org /org/wgd1 /org/wgd1/tunnel $T $T/peer $T/peer/0 $T/peer/99 /org/wgd1/tunnel/_ ; do
        busctl --system call org.wgd1 "$path" org.freedesktop.DBus.Properties GetAll s "$interface" >/dev/null 2>&1
        busctl --system call org.wgd1 "$path" org.freedesktop.DBus.Properties Get ss "$interface" Nonsense >/dev/null 2>&1
        busctl --system introspect org.wgd1 "$path" >/dev/null 2>&1
    done
done
daemon_lives "properties and introspection of everything and nothing"

A=$WGD_BUILD/tests/abuser
expect 0 "a name of a megabyte" "$A" huge 1000000
has "is an invalid name, and the answer is short" "$out" '^org.wgd1.Error.InvalidName [0-9]{1,3}$'
expect 0 "a name of 20 megabytes" timeout 60 "$A" huge 20000000
has "as well" "$out" '^org.wgd1.Error.InvalidName [0-9]{1,3}$'
expect 0 "50,000 options" timeout 60 "$A" options 50000
has "are refused" "$out" '^org.wgd1.Error.InvalidArgument'
expect 0 "callers that hang up before the answer" "$A" vanish 50
daemon_lives "the daemon lives after all of it"

# 10,000 peers: pages that fit the bus, few objects, and the bus does not throw us out.
expect 0 "up with 10,000 peers" timeout 60 "$WGCTL" up huge
peers=$("$WGCTL" status huge --json | jq '.tunnels[0].peers | [length, (map(.public_key) | unique | length)] | join(" ")' -r)
has "status shows each of them once" "$peers" '^10000 10000$'
objects=$(busctl --system call org.wgd1 /org/wgd1 org.freedesktop.DBus.ObjectManager GetManagedObjects | grep -o '/org/wgd1/tunnel/huge/peer/' | wc -l)
has "64 have objects" "$objects" '^64$'
expect 0 "down with 10,000 peers" "$WGCTL" down huge
daemon_lives "and the daemon is still on the bus"
has_not "the bus never threw the daemon out" "$(<"$DIR/daemon.log")" "lost the system bus"
finish
