#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What scripts/install puts where (DESTDIR, as a packager uses it), that systemd and the bus can read it, and that
# scripts/uninstall takes all of it away again. Needs no root.
set -uo pipefail
: "${WGD_SOURCE:?}" "${WGD_BUILD:?}"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0
problem() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

DESTDIR=$tree "$WGD_SOURCE/scripts/install" --built >"$tree.log" 2>&1 || {
    cat "$tree.log"
    rm -f "$tree.log"
    exit 1
}
rm -f "$tree.log"

expected=(
    "755 /usr/sbin/wgd"
    "755 /usr/bin/wgd-datapath"
    "755 /usr/bin/wgctl"
    "644 /usr/lib/systemd/system/wgd-lockdown.service"
    "644 /usr/lib/systemd/system/wgd.service"
    "644 /usr/lib/systemd/system/wgctl@.service"
    "644 /usr/lib/sysusers.d/wgd.conf"
    "644 /usr/lib/tmpfiles.d/wgd.conf"
    "644 /usr/share/dbus-1/system.d/org.wgd1.conf"
    "644 /usr/share/dbus-1/system-services/org.wgd1.service"
    "644 /usr/share/dbus-1/interfaces/org.wgd1.Manager.xml"
    "644 /usr/share/dbus-1/interfaces/org.wgd1.Tunnel.xml"
    "644 /usr/share/dbus-1/interfaces/org.wgd1.Peer.xml"
    "644 /usr/share/bash-completion/completions/wgctl"
    "644 /usr/share/man/man1/wgctl.1"
    "644 /usr/share/zsh/vendor-completions/_wgctl"
    "644 /usr/share/fish/vendor_completions.d/wgctl.fish"
    "644 /usr/share/man/man5/wgd.toml.5"
    "644 /usr/share/man/man5/wgd-dbus.5"
    "644 /usr/share/man/man7/wgd-firewall.7"
    "644 /usr/share/man/man8/wgd.8"
)
for row in "${expected[@]}"; do
    mode=${row%% *} path=${row#* }
    if [ ! -e "$tree$path" ]; then
        problem "$path is not installed"
    elif [ "$(stat -c %a "$tree$path")" != "$mode" ]; then
        problem "$path has mode $(stat -c %a "$tree$path"), not $mode"
    fi
done
while IFS= read -r path; do
    [[ $path =~ ^(/usr/s?bin|/usr/lib|/usr/libexec|/usr/share|/etc/wgd)/ ]] || problem "$path is in an unexpected place"
done < <(cd "$tree" && find . ! -type d -printf '/%P\n')
if find "$tree" -perm /6000 | grep . >/dev/null; then problem "something is setuid or setgid"; fi
if grep -rlI -e "$WGD_SOURCE" -e "$WGD_BUILD" "$tree" | grep . >/dev/null; then
    problem "a text file names the build's directories: $(grep -rlI -e "$WGD_SOURCE" -e "$WGD_BUILD" "$tree" | tr '\n' ' ')"
fi
for program in /usr/sbin/wgd /usr/bin/wgd-datapath /usr/bin/wgctl; do
    [ -x "$tree$program" ] || continue
    "$tree$program" --version >/dev/null || problem "$program --version fails"
    "$tree$program" --help >/dev/null || problem "$program --help fails"
done
if command -v systemd-analyze >/dev/null; then
    # ExecStart names installed paths, which are in the tree and not here: --root makes them so. The unit's one
    # command of the system's own is added for that.
    install -D -m 0755 /bin/true "$tree/bin/kill"
    output=$(systemd-analyze verify --root="$tree" --recursive-errors=no --man=no wgd.service 2>&1) ||
        problem "systemd-analyze verify: $output"
    rm -r "${tree:?}/bin"
fi

(cd "$tree" && find . ! -type d -printf '    /%P\n' | sort)
DESTDIR=$tree "$WGD_SOURCE/scripts/uninstall" >/dev/null || problem "scripts/uninstall fails"
left=$(find "$tree" -mindepth 1)
[ -z "$left" ] || problem "scripts/uninstall leaves: $left"
[ "$failures" = 0 ]
