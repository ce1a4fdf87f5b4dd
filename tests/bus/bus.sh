# SPDX-License-Identifier: MIT
# A private system bus with our policy, the fake daemon on it, and how to check things. Sourced by the tests of this
# folder; everything it starts and makes is gone at the end.
# shellcheck shell=bash
set -uo pipefail

skip() {
    echo "skipped: $*"
    exit 77
}
need() { # PROGRAM DEBIAN-PACKAGE
    command -v "$1" >/dev/null || skip "$1 is missing (Debian: $2)"
}

: "${WGD_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${WGD_BUILD:=$WGD_SOURCE/build/dev}"
[ "$(id -u)" = 0 ] || skip "needs root: to be uid 0 for the daemon, and to become nobody"
need dbus-daemon dbus-daemon
need setpriv util-linux

WGCTL=$WGD_BUILD/bin/wgctl
DIR=$(mktemp -d "${TMPDIR:-/tmp}/wgdt-bus-$$-XXXXXX")
chmod 755 "$DIR"
STARTED=()
failures=0

cleanup() {
    local pid
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$DIR"
}
trap cleanup EXIT

# Waits until a command succeeds, at most SECONDS.
wait_for() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            echo "FAILED: waited in vain for $what"
            tail -20 "$DIR"/*.log
            exit 1
        fi
        sleep 0.05
    done
}

start_bus() {
    mkdir -p "$DIR/services" "$DIR/system.d"
    cp "$WGD_SOURCE/dbus/org.wgd1.conf" "$DIR/system.d/"
    # The default policy of the stock system bus, with our own file included as the installed one would be.
    cat >"$DIR/bus.conf" <<XML
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path=$DIR/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>$DIR/services</servicedir>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <includedir>$DIR/system.d</includedir>
</busconfig>
XML
    export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
    rm -f "$DIR/bus"
    dbus-daemon --config-file="$DIR/bus.conf" --nofork --nopidfile >"$DIR/bus.log" 2>&1 &
    BUS_PID=$!
    STARTED+=("$BUS_PID")
    wait_for 10 "the bus" test -S "$DIR/bus"
}

start_daemon() {
    : >"$DIR/daemon.out"
    "$WGD_BUILD/tests/fake_daemon" >"$DIR/daemon.out" 2>"$DIR/daemon.log" &
    DAEMON_PID=$!
    STARTED+=("$DAEMON_PID")
    wait_for 10 "the daemon" grep -q ready "$DIR/daemon.out"
}

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

pass() { echo "ok: $*"; }
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# Runs a command; its exit status must be STATUS. Output is left in $out, errors in $err.
expect() { # STATUS WHAT COMMAND...
    local wanted=$1 what=$2 status
    shift 2
    "$@" >"$DIR/out" 2>"$DIR/err"
    status=$?
    # shellcheck disable=SC2034  # for the caller
    out=$(<"$DIR/out") err=$(<"$DIR/err")
    if [ "$status" = "$wanted" ]; then
        pass "$what"
    else
        fail "$what: exit status $status, not $wanted"
        sed 's/^/    out: /' "$DIR/out"
        sed 's/^/    err: /' "$DIR/err"
    fi
}
# A text holds, or does not hold, a pattern (extended regular expression).
has() { # WHAT TEXT PATTERN
    if grep -qE -- "$3" <<<"$2"; then pass "$1"; else
        fail "$1: no '$3' in:"
        sed 's/^/    /' <<<"$2" | sed -n 1,40p
    fi
}
has_not() { # WHAT TEXT PATTERN
    if grep -qE -- "$3" <<<"$2"; then
        fail "$1: '$3' in:"
        grep -E -- "$3" <<<"$2" | sed 's/^/    /' | sed -n 1,10p
    else pass "$1"; fi
}
daemon_lives() { # WHAT
    if kill -0 "$DAEMON_PID" 2>/dev/null && "$WGCTL" list >/dev/null 2>&1; then pass "$1"; else
        fail "$1: the daemon is gone or does not answer"
        tail -20 "$DIR/daemon.log"
    fi
}

finish() {
    if ((failures)); then
        echo "$failures failed; the daemon's log ends with:"
        tail -30 "$DIR/daemon.log" 2>/dev/null
        exit 1
    fi
    exit 0
}
