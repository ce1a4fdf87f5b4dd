#!/bin/bash
# SPDX-License-Identifier: MIT
# wgctl check of files: no daemon, no bus, no privilege.
set -uo pipefail
: "${WGD_BUILD:?}"
W=$WGD_BUILD/bin/wgctl
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$D/nothing
failed=0
bad() { echo "FAILED: $*"; failed=1; }
K=yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=

printf '[Interface]\nPrivateKey = %s\nAddress = 10.0.0.2/32\n' $K >"$D/good.conf"
"$W" check "$D/good.conf" >"$D/out" 2>&1 || bad "a good file: $(<"$D/out")"
grep -q "no mistakes" "$D/out" || bad "a good file: $(<"$D/out")"
"$W" check - <"$D/good.conf" >/dev/null || bad "standard input"
(cd "$D" && "$W" check good.conf >/dev/null) || bad "a file in this directory"

printf '[Interface]\nPrivateKey = %s\nPrivatKey = %s\nListenPort = 70000\n[Peer]\nAllowedIPs = 10.0.0.0/33\n' $K $K >"$D/bad.conf"
"$W" check "$D/bad.conf" >"$D/out" 2>&1
[ $? = 5 ] || bad "exit code of a bad file"
for place in 3:1 4: 5:1 6:; do
    grep -q "^$D/bad.conf:$place.*error:" "$D/out" || bad "no finding at $place in: $(<"$D/out")"
done
grep -q "did you mean 'PrivateKey'" "$D/out" || bad "no suggestion"
grep -qF "${K%=}" "$D/out" && bad "a key was printed"
"$W" check --json "$D/bad.conf" >"$D/json"
[ $? = 5 ] || bad "exit code with --json"
grep -q '"version": 1' "$D/json" && grep -q '"line": 3' "$D/json" || bad "JSON: $(<"$D/json")"

"$W" check "$D/nosuch.conf" >"$D/out" 2>&1
[ $? = 6 ] || bad "a file that is not there: $(<"$D/out")"
"$W" check "$D/" >"$D/out" 2>&1
[ $? = 1 ] || bad "a directory: $(<"$D/out")"
"$W" check /dev/null >/dev/null 2>&1
[ $? = 5 ] || bad "an empty file"
cp "$D/good.conf" "$D/a name with spaces.conf"
"$W" check "$D/a name with spaces.conf" >"$D/out" 2>&1 || bad "a name that is no interface's is a warning: $(<"$D/out")"
grep -q "warning" "$D/out" || bad "no warning about the name"
"$W" check home >/dev/null 2>"$D/err"
[ $? = 3 ] || bad "a name without a daemon: $(<"$D/err")"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$D"; chmod 600 "$D/good.conf"
    setpriv --reuid=65534 --regid=65534 --clear-groups "$W" check "$D/good.conf" >/dev/null 2>&1
    [ $? = 4 ] || bad "a file that may not be read"
fi
exit $failed
