#!/bin/bash
# SPDX-License-Identifier: MIT
# Where keys are: in locked memory of the one process that needs them, nowhere as text, in no core dump; and gone, every
# copy of them, as soon as they are taken away.
. "${WGD_SOURCE:?}/tests/netns/datapath/rig.sh"
SEARCH=$WGD_BUILD/tests/datapath_memory_search
[ -x "$SEARCH" ] || need "$SEARCH (build it first)"
hexadecimal() { od -An -v -tx1 | tr -d ' \n'; }

raw() { base64 -d <<<"$1" | hexadecimal; }
text() { printf %s "$1" | hexadecimal; }
needles() { # NAME KEY: as it is, in wg's base64 and in the UAPI's hexadecimal
  printf '%s %s\n' "$1" "$(raw "$2")" "$1-base64" "$(text "$2")" "$1-hex" "$(text "$(raw "$2")")"
}
in_memory() { # PID NAME KEY: prints "NAME count" of each form
  needles "$2" "$3" | "$SEARCH" "$1" || fail "cannot search $1"
}
count() { # PID NAME KEY FORM
  in_memory "$1" "$2" "$3" | awk -v name="$2$4" '$1 == name { print $2 }'
}
nowhere() { # PID KEY
  in_memory "$1" key "$2" | awk '$2 != 0 { some = 1 } END { exit some }'
}

start "$A" "$WG_A" "$DATAPATH"
keeper=$STARTED
worker=$(tr -d ' ' <"/proc/$keeper/task/$keeper/children")
start "$B" "$WG_B" "$DATAPATH"
connect 4 yes
ping_ok "$A" 10.201.0.2
wg show "$WG_A" private-key >/dev/null # as text, on its way out
wg showconf "$WG_A" >/dev/null

say "in use: as bytes in the datapath's memory, as text nowhere, in its keeper not at all"
for key in "$KEY_A" "$PSK"; do
  [ "$(count "$worker" key "$key" '')" -ge 1 ] || fail "this search does not find a key that is in use"
  for form in -base64 -hex; do
    [ "$(count "$worker" key "$key" "$form")" = 0 ] || fail "a key as text: $(in_memory "$worker" key "$key")"
  done
  nowhere "$keeper" "$key" || fail "the keeper knows a key: $(in_memory "$keeper" key "$key")"
done

say "locked in memory, not to be dumped"
# An AddressSanitizer's or ThreadSanitizer's build cannot lock its shadow.
case $(ldd "$DATAPATH") in
*lib[at]san*) ;;
*) [ "$(awk '/^VmLck/ { print $2 }' "/proc/$worker/status")" -gt 0 ] || fail "its memory is not locked" ;;
esac
[ "$(awk '/Max core file size/ { print $5 $6 }' "/proc/$worker/limits")" = 00 ] || fail "it may dump core"
# What may not be dumped belongs to root in /proc, whoever it runs as (proc(5)).
[ "$(stat -c %u "/proc/$worker/mem")" = 0 ] || fail "it is dumpable"

say "taken away: gone"
wg set "$WG_A" peer "$PUB_B" remove
wait_for 5 nowhere "$worker" "$PSK" || fail "the preshared key stays: $(in_memory "$worker" key "$PSK")"
wg set "$WG_A" private-key /dev/null
wait_for 5 nowhere "$worker" "$KEY_A" || fail "the private key stays: $(in_memory "$worker" key "$KEY_A")"
say ok
