#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may do what: any local user sees state, only root does anything.
# shellcheck source=tests/bus/bus.sh
. "$(dirname "${BASH_SOURCE[0]}")/bus.sh" || exit 1
need busctl systemd
start_bus
start_daemon
"$WGCTL" up home >/dev/null || fail "up as root"

expect 4 "nobody: up is denied" as_nobody "$WGCTL" up slow
has "it says sudo" "$err" "only root may do this.*sudo"
expect 0 "and nothing came up" "$WGCTL" list --names
has_not "no tunnel 'slow'" "$("$WGCTL" status)" "^slow"
expect 4 "nobody: down is denied" as_nobody "$WGCTL" down home
has "home is still up" "$("$WGCTL" status home)" "^home: up"
expect 4 "nobody: plan is denied" as_nobody "$WGCTL" plan home
expect 4 "nobody: check of an installed profile is denied" as_nobody "$WGCTL" check home
expect 4 "nobody: whether a profile exists is not told either" as_nobody "$WGCTL" up nosuchprofile
has_not "no word about its existence" "$err" "found|exist"
expect 0 "nobody: status" as_nobody "$WGCTL" status
has "shows the tunnel" "$out" "^home: up"
expect 0 "nobody: list" as_nobody "$WGCTL" list

# The same from another client; and what is no method at all.
expect 1 "nobody with busctl: Up" as_nobody busctl --system call org.wgd1 /org/wgd1 org.wgd1.Manager Up 'sa{sv}' slow 0
has "is refused by name" "$err" "only root may do this"
expect 1 "nobody with busctl: an interface that is not ours" as_nobody busctl --system call org.wgd1 /org/wgd1 org.freedesktop.LogControl1 X
has "the bus policy stops it" "$err" "rejected|Access denied|not allowed|AccessDenied"
expect 1 "root: a method that does not exist" busctl --system call org.wgd1 /org/wgd1 org.wgd1.Manager SetPeer
# setpriv directly before the program: a clone may lie where nobody cannot go (/root), and setpriv opens it before that.
expect 2 "nobody may not be org.wgd1" timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$WGD_BUILD/tests/fake_daemon"
has "the bus policy forbids it" "$err" "cannot become org.wgd1.*Permission denied"
expect 2 "a second daemon is refused" timeout 20 "$WGD_BUILD/tests/fake_daemon"
has "with the reason" "$err" "another process is org.wgd1 already"
daemon_lives "the first daemon serves on"

# No property can be written, by anyone.
for property in State LastError Backend Interface PublicKey ListenPort FwMark; do
    type=s value=x
    [[ $property == ListenPort ]] && type=q value=1
    [[ $property == FwMark ]] && type=u value=1
    expect 1 "root cannot set $property" busctl --system set-property org.wgd1 /org/wgd1/tunnel/home org.wgd1.Tunnel "$property" "$type" "$value"
done
finish
