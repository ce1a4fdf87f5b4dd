#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The systemd unit and the tmpfiles are accepted by systemd's own checkers, and the unit's exposure stays low.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is missing"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# verify wants a program that exists; which one does not matter.
sed 's|@WGD_SBINDIR@/wgd|/bin/true|' "$WGD_SOURCE/conf/wgd.service.in" >"$work/wgd.service"
output=$(systemd-analyze verify --man=no "$work/wgd.service" 2>&1) || { echo "$output"; exit 1; }
[ -z "$output" ] || { echo "systemd-analyze verify warns:"; echo "$output"; exit 1; }
sed 's|@WGD_SBINDIR@/wgd|/bin/true|' "$WGD_SOURCE/conf/wgd-lockdown.service.in" >"$work/wgd-lockdown.service"
output=$(systemd-analyze verify --man=no "$work/wgd-lockdown.service" 2>&1) || { echo "$output"; exit 1; }
[ -z "$output" ] || { echo "systemd-analyze verify warns:"; echo "$output"; exit 1; }
systemd-analyze security --offline=true --threshold=35 "$work/wgd.service" | tail -n 1
systemd-tmpfiles --create --dry-run --root="$work" "$WGD_SOURCE/conf/wgd.tmpfiles" 2>/dev/null ||
    systemd-tmpfiles --create --root="$work" "$WGD_SOURCE/conf/wgd.tmpfiles"
sed 's|@WGD_BINDIR@/wgctl|/bin/true|' "$WGD_SOURCE/conf/wgctl@.service.in" >"$work/wgctl@.service"
output=$(systemd-analyze verify --man=no "$work/wgctl@home.service" 2>&1) || { echo "$output"; exit 1; }
[ -z "$output" ] || { echo "systemd-analyze verify warns:"; echo "$output"; exit 1; }
systemd-analyze security --offline=true --threshold=20 "$work/wgctl@.service" | tail -n 1
systemd-sysusers --root="$work" "$WGD_SOURCE/conf/wgd.sysusers"
grep -q '^wgd-datapath:' "$work/etc/passwd" || { echo "sysusers makes no user wgd-datapath"; exit 1; }
