#!/bin/bash
# SPDX-License-Identifier: MIT
# wgctl(1) and wgd-dbus(5) leave nothing out: every command, option, exit code, method, property and error name; nor does
# wgd.toml(5) a key.
set -uo pipefail
: "${WGD_BUILD:?}" "${WGD_SOURCE:?}"
W=$WGD_BUILD/bin/wgctl
failed=0
bad() { echo "FAILED: $*"; failed=1; }
page() { tr -d '\\*_' <"$WGD_SOURCE/man/$1"; } # without scdoc's escapes and emphasis

wgctl=$(page wgctl.1.scd)
for verb in $("$W" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    grep -qw -- "$verb" <<<"$wgctl" || bad "wgctl(1) does not mention '$verb'"
    for option in $("$W" "$verb" --help | grep -oE '^  --[a-z]+'); do
        grep -qw -- "$option" <<<"$wgctl" || bad "wgctl(1) does not mention '$option' of '$verb'"
    done
done
for code in 0 1 2 3 4 5 6 7; do
    grep -qE "^$code\$" <<<"$wgctl" || bad "wgctl(1) does not list exit code $code"
done
dbus=$(page wgd-dbus.5.scd)
for word in $(grep -ohE '<(method|property|interface) name="[^"]+"' "$WGD_SOURCE"/dbus/*.xml | sed 's/.*"\(.*\)"/\1/'); do
    grep -qw -- "$word" <<<"$dbus" || bad "wgd-dbus(5) does not mention '$word'"
done
for error in $(grep -oE 'org\.wgd1\.Error\.[A-Za-z]+' "$WGD_SOURCE/dbus/names.cpp" | sed 's/.*\.//' | sort -u); do
    grep -qw -- "$error" <<<"$dbus" || bad "wgd-dbus(5) does not mention the error '$error'"
done
toml=$(page wgd.toml.5.scd)
keys=$(grep -oE '^#?[a-z]+(_[a-z]+)* =' "$WGD_SOURCE/conf/wgd.toml" | tr -d '#= ' | sort -u)
[ "$(wc -w <<<"$keys")" -ge 7 ] || bad "conf/wgd.toml has lost its keys"
for key in $keys; do
    grep -qw -- "${key//_/}" <<<"$toml" || bad "wgd.toml(5) does not mention '$key'"
done
exit $failed
