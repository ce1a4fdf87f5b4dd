# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# A scene: machines made of namespaces, on which whole programs run. The beginning of every test that plays on one;
# brings world.sh along.
#
#   . "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
#   enter_scene "$@"          # from here on: pid 1 of a pid namespace of its own, nothing outlives this script
#   machine alice; machine bob
#   cable alice eth0 bob eth0
#   on alice ping -c 1 ...
#   check "alice reaches bob" on alice ping -c 1 192.0.2.2
#   finish
#
# A machine has its own network, /run (with its own bus socket, /run/wireguard, /run/wgd) and /etc (a copy-on-write
# view of the real one). The machine that runs the script keeps its links, rules, files and processes: when the
# script ends, however it ends, the kernel ends every process of the scene and drops its namespaces and mounts.

set -uo pipefail

# The source tree; ctest says where it is.
WGD_SOURCE=${WGD_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
SCENE=/run/scene                # tmpfs of the scene, at the same path on every machine
declare -A MACHINE_PID=()       # machine -> process that holds its namespaces open
LOGS_OF_INTEREST=()             # printed when a check failed

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    SC_BOLD=$'\e[1m' SC_DIM=$'\e[2m' SC_RED=$'\e[31m' SC_GREEN=$'\e[32m' SC_PLAIN=$'\e[0m' SC_TTY=1
else
    SC_BOLD='' SC_DIM='' SC_RED='' SC_GREEN='' SC_PLAIN='' SC_TTY=''
fi

# ---- how a script talks -----------------------------------------------------------------------------------------

heading() { printf '\n%s%s%s\n' "$SC_BOLD" "$*" "$SC_PLAIN"; }
say() { printf '  %s\n' "$*"; }
quote() { sed "s/^/  ${SC_DIM}|${SC_PLAIN} /"; } # shows a program's output as such

# Ends the test as skipped; ctest and scripts/test show the sentence.
skip() { # REASON
    printf '%s\n' "$*"
    exit 77
}

# Ends the script: the scene cannot be what the test needs. Not for the thing under test: that is a failed check.
abort() { # REASON
    printf '%scannot go on:%s %s\n' "$SC_RED" "$SC_PLAIN" "$*"
    show_logs
    exit 1
}

# Verdicts are kept in a file, so that a check in a subshell or a pipe counts as well.
pass() {
    echo "passed $1" >>"$SCENE/verdicts"
    printf '  %s✓%s %s\n' "$SC_GREEN" "$SC_PLAIN" "$1"
}

fail() { # DESCRIPTION [OUTPUT-FILE]
    echo "failed $1" >>"$SCENE/verdicts"
    printf '  %s✗ %s%s\n' "$SC_RED" "$1" "$SC_PLAIN"
    if [ -n "${2:-}" ]; then head -n 60 "$2" | quote; fi
    return 1
}

# The command must succeed. Its output is shown only when it does not, and is left in $SCENE/out.
check() { # DESCRIPTION COMMAND...
    local description=$1
    shift
    if "$@" >"$SCENE/out" 2>&1; then pass "$description"; else fail "$description" "$SCENE/out"; fi
}

# The same for a program whose output is worth reading: it is shown in any case, and check_says looks into it.
check_shown() { # DESCRIPTION COMMAND...
    local description=$1
    shift
    if "$@" >"$SCENE/said" 2>&1; then
        pass "$description"
        quote <"$SCENE/said"
    else
        fail "$description" "$SCENE/said"
    fi
}

# The command must be refused with exactly this exit status, in words that match the extended regex.
check_refused() { # DESCRIPTION STATUS REGEX COMMAND...
    local description=$1 status=$2 regex=$3 rc=0
    shift 3
    "$@" >"$SCENE/said" 2>&1 || rc=$?
    if [ "$rc" = "$status" ] && grep -Eqi -- "$regex" "$SCENE/said"; then
        pass "$description"
        return 0
    fi
    echo "(exit status $rc, expected $status; the text should match: $regex)" >>"$SCENE/said"
    fail "$description" "$SCENE/said"
}

# What the last check_shown or check_refused ran has said this (extended regex).
check_says() { # DESCRIPTION REGEX
    if grep -Eqi -- "$2" "$SCENE/said"; then pass "$1"; else fail "$1 (looked for: $2)" "$SCENE/said"; fi
}

check_same() { # DESCRIPTION EXPECTED-FILE ACTUAL-FILE
    if diff -u "$2" "$3" >"$SCENE/diff"; then pass "$1"; else fail "$1" "$SCENE/diff"; fi
}

show_logs() {
    local log
    for log in "${LOGS_OF_INTEREST[@]}"; do
        [ -s "$log" ] || continue
        heading "the end of $log"
        tail -n 60 "$log" | quote
    done
}

failed_checks() { grep -c '^failed ' "$SCENE/verdicts" 2>/dev/null || :; }

# The verdict and the exit status. A script that ends any other way has failed.
finish() {
    local total failed
    total=$(wc -l <"$SCENE/verdicts")
    failed=$(failed_checks)
    if [ "$failed" = 0 ] && [ "$total" -gt 0 ]; then
        printf '\n%s%d checks passed.%s\n' "$SC_GREEN" "$total" "$SC_PLAIN"
        exit 0
    fi
    show_logs
    printf '\n%s%d of %d checks failed:%s\n' "$SC_RED" "$failed" "$total" "$SC_PLAIN"
    sed -n 's/^failed /  ✗ /p' "$SCENE/verdicts"
    exit 1
}

# ---- the scene --------------------------------------------------------------------------------------------------

# Runs the calling script again inside namespaces of its own; returns only there.
enter_scene() { # SCRIPT-ARGUMENTS...
    if [ "${WGD_IN_SCENE:-}" = 1 ] && [ $$ = 1 ]; then
        mount -t tmpfs -o mode=0755 tmpfs /run || abort "cannot mount a private /run"
        mkdir -p "$SCENE"
        : >"$SCENE/verdicts"
        export LC_ALL=C
        # As pid 1 this shell gets only the signals it asks for.
        trap 'echo "interrupted"; exit 130' INT TERM HUP
        return 0
    fi
    [ "$(id -u)" = 0 ] || skip "needs root (network and mount namespaces)"
    local tool
    for tool in unshare nsenter ip; do
        command -v "$tool" >/dev/null || skip "needs $tool"
    done
    export WGD_PROPAGATION=private
    if ! unshare --mount true 2>/dev/null && mounts_stay_inside; then WGD_PROPAGATION=unchanged; fi
    local scene=(unshare --mount --propagation "$WGD_PROPAGATION" --net --pid --ipc --fork --kill-child --mount-proc)
    "${scene[@]}" true 2>/dev/null ||
        skip "this machine does not allow new network and mount namespaces (a container without CAP_SYS_ADMIN?)"
    WGD_IN_SCENE=1 exec "${scene[@]}" -- bash "$0" "$@"
}

# In a chroot, / is no mount and cannot be made private. If mounts in a new namespace stay there all the same, it need
# not be. Tried out on what a scene mounts first.
mounts_stay_inside() {
    local before
    before=$(stat -c %d /run)
    unshare --mount --propagation unchanged mount -t tmpfs tmpfs /run 2>/dev/null || return 1
    [ "$(stat -c %d /run)" = "$before" ] && return 0
    umount /run
    return 1
}

# Polls until the command succeeds. For what has no event a shell could wait for. WGD_PATIENCE: how many times slower
# than usual this machine is (an emulated one); WGD_POLL: how often to look, in seconds.
wait_for() { # SECONDS DESCRIPTION COMMAND...
    local deadline=$((SECONDS + $1 * ${WGD_PATIENCE:-1})) description=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            echo "still waiting after the deadline for: $description"
            return 1
        fi
        sleep "${WGD_POLL:-0.05}"
    done
}

need_tools() { # TOOL...
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "needs $tool; scripts/packages.txt lists its package"
    done
}

need_programs() { # PROGRAM... of the build tree
    local program
    BIN=${WGD_BUILD:?is not set: the build tree, as build/release}/bin
    for program in "$@"; do
        [ -x "$BIN/$program" ] || abort "$BIN/$program is not built; scripts/build builds it"
    done
}

# ---- machines ---------------------------------------------------------------------------------------------------

machine() { # NAME
    local dir=$SCENE/$1
    mkdir -p "$dir"/{upper,work,run}
    unshare --net --mount --propagation "$WGD_PROPAGATION" bash -euc '
        dir=$1
        mount -t sysfs sysfs /sys 2>/dev/null || :   # /sys/class/net of this network; nothing here depends on it
        mount -t overlay overlay -o "lowerdir=/etc,upperdir=$dir/upper,workdir=$dir/work" /etc 2>/dev/null || {
            cp -a /etc/. "$dir/upper/"
            mount --bind "$dir/upper" /etc
        }
        mkdir -p "$dir/run/scene" "$dir/run/dbus"
        mount --bind /run/scene "$dir/run/scene"
        mount --rbind "$dir/run" /run
        rm -rf /etc/wireguard /etc/resolv.conf
        install -d -m 0700 /etc/wireguard
        echo "nameserver 192.0.2.53" >/etc/resolv.conf
        printf "127.0.0.1 localhost\n::1 localhost\n" >/etc/hosts
        # Addresses are usable at once, and no router is asked for.
        for key in accept_dad dad_transmits router_solicitations; do
            for scope in all default; do echo 0 >/proc/sys/net/ipv6/conf/$scope/$key; done
        done 2>/dev/null || :
        ip link set lo up
        touch "$dir/ready"
        exec sleep infinity' holder "$dir" >"$dir/holder.log" 2>&1 &
    MACHINE_PID[$1]=$!
    wait_for 10 "machine $1" test -e "$dir/ready" || {
        cat "$dir/holder.log"
        abort "could not make machine $1"
    }
}

on() { # MACHINE COMMAND...
    local holder=${MACHINE_PID[$1]}
    shift
    nsenter --target "$holder" --net --mount --root --wdns=/ -- "$@"
}

# Starts a program on a machine in the background; its pid is in $STARTED, its output in $SCENE/MACHINE/LABEL.log.
start() { # MACHINE LABEL COMMAND...
    local holder=${MACHINE_PID[$1]} log=$SCENE/$1/$2.log
    shift 2
    (exec nsenter --target "$holder" --net --mount --root --wdns=/ -- "$@") >>"$log" 2>&1 </dev/null &
    STARTED=$!
}

# Ends a process that this scene started and waits until it is gone; its exit status is returned.
stop() { # PID [SIGNAL]
    local rc=0
    kill -s "${2:-TERM}" "$1" 2>/dev/null
    wait "$1" 2>/dev/null || rc=$?
    return "$rc"
}

# A veth pair: one end on each machine, up.
cable() { # MACHINE LINK MACHINE LINK
    ip link add cable-a type veth peer name cable-b || abort "cannot make a veth pair"
    ip link set cable-a netns "${MACHINE_PID[$1]}" name "$2"
    ip link set cable-b netns "${MACHINE_PID[$3]}" name "$4"
    on "$1" ip link set "$2" up
    on "$3" ip link set "$4" up
}

# The names of all programs that use the machine's network, one a line, without the holder.
processes_on() { # MACHINE
    local pid net
    net=$(readlink "/proc/${MACHINE_PID[$1]}/ns/net")
    for pid in /proc/[0-9]*; do
        [ "$pid" != "/proc/${MACHINE_PID[$1]}" ] || continue
        if [ "$(readlink "$pid/ns/net" 2>/dev/null)" = "$net" ]; then cat "$pid/comm" 2>/dev/null; fi
    done | sort
}

# Everything a tunnel could change on a machine, as text. Two snapshots are equal iff nothing of it changed.
snapshot() { # MACHINE FILE
    on "$1" bash -c '
        echo "== links";          ip -details -oneline link show
        echo "== addresses";      ip -oneline address show
        echo "== routes, IPv4";   ip -4 route show table all
        echo "== routes, IPv6";   ip -6 route show table all
        echo "== rules, IPv4";    ip -4 rule show
        echo "== rules, IPv6";    ip -6 rule show
        echo "== nftables";       nft list ruleset
        echo "== sysctls";        find /proc/sys/net -type f ! -name nf_conntrack_count -print0 | sort -z |
                                      xargs -0 grep -sH "" || :
        echo "== files in /etc";  find /etc/wireguard /etc/resolv.conf /etc/hosts -printf "%p %y %m %u\n" | sort
                                  find /etc/wireguard /etc/resolv.conf /etc/hosts -type f -print0 | sort -z |
                                      xargs -0 -r sha256sum
        echo "== files in /run";  find /run -path /run/scene -prune -o ! -type d -print | sort
    ' >"$2"
    {
        echo "== processes"
        processes_on "$1"
    } >>"$2"
}

. "$WGD_SOURCE/tests/system/world.sh"
