#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A machine that boots Debian's systemd, with wgd installed on it as scripts/install does: the units start what they
# say, the sandbox denies what it says, and tunnels outlive restart and upgrade of the daemon.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"
. "$WGD_SOURCE/tests/system/wire.sh"

need_tools wg jq socat ping cmake findmnt python3 nft tcpdump
[ -x /usr/lib/systemd/systemd ] || [ -x /lib/systemd/systemd ] || skip "needs systemd; scripts/packages.txt lists it"
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

# ---- a machine with systemd as its first process

ROOT=$SCENE/root
CGROUP=
control_group() {
    local unified
    unified=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) ||
        skip "needs cgroup2, for systemd as pid 1"
    CGROUP=$unified/wgdt-systemd-$(cat /proc/sys/kernel/random/uuid)
    mkdir "$CGROUP" 2>/dev/null || {
        CGROUP=
        skip "needs a cgroup2 hierarchy that can be written to, for systemd as pid 1"
    }
}
make_root() {
    mkdir -p "$ROOT" && mount -t tmpfs -o mode=0755 tmpfs "$ROOT"
    mkdir -p "$ROOT"/{.usr/{upper,work},usr,etc,run,var/{lib,log,cache,tmp},tmp,proc,sys,dev,home,root,mnt}
    mount -t overlay overlay -o "lowerdir=/usr,upperdir=$ROOT/.usr/upper,workdir=$ROOT/.usr/work" "$ROOT/usr" ||
        skip "needs overlayfs on top of /usr"
    local link
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$ROOT/$link"; done
    local file
    for file in passwd group shadow nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d dbus-1 iproute2 alternatives \
        protocols services os-release; do
        [ ! -e "/etc/$file" ] || cp -a "/etc/$file" "$ROOT/etc/"
    done
    sed -i '/^wgd-datapath:/d' "$ROOT"/etc/{passwd,group,shadow}
    : >"$ROOT/etc/machine-id"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$ROOT/etc/hosts"
    echo "secret of a user" >"$ROOT/home/diary"
    # Only what the test is about; the machine around the container is not to be configured.
    mkdir -p "$ROOT/etc/systemd/system"
    local unit
    for unit in systemd-logind systemd-networkd systemd-resolved systemd-timesyncd systemd-udevd systemd-sysctl \
        systemd-modules-load systemd-binfmt systemd-random-seed systemd-hwdb-update systemd-pstore \
        systemd-update-utmp systemd-udev-trigger polkit getty@ console-getty e2scrub_reap networking; do
        ln -s /dev/null "$ROOT/etc/systemd/system/$unit.service"
    done
    for unit in sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount; do
        ln -s /dev/null "$ROOT/etc/systemd/system/$unit"
    done
    printf '[Unit]\nDescription=The machine of the test\nRequires=basic.target dbus.socket\nAfter=basic.target\nAllowIsolate=yes\n' \
        >"$ROOT/etc/systemd/system/scene.target"
}

# What scripts/install does, into the machine.
install_wgd() {
    DESTDIR=$ROOT cmake --install "$WGD_BUILD" --prefix /usr >"$SCENE/install.log" 2>&1 || {
        tail -n 20 "$SCENE/install.log"
        abort "cmake --install failed"
    }
}

start_machine() {
    mkdir -p "$SCENE/home"
    unshare --net --mount --propagation "$WGD_PROPAGATION" --uts --ipc bash -euc '
        root=$1 cgroup=$2
        echo $$ >"$cgroup/cgroup.procs"
        exec unshare --cgroup --pid --fork --kill-child bash -euc "
            root=\$1
            mount -t proc proc \$root/proc
            # Sysctls of the network only.
            mount --bind \$root/proc/sys \$root/proc/sys
            mount --bind \$root/proc/sys/net \$root/proc/sys/net
            mount -o remount,bind,ro \$root/proc/sys
            mount -t sysfs sysfs \$root/sys
            mount -t cgroup2 cgroup2 \$root/sys/fs/cgroup
            mount -o remount,bind,ro \$root/sys
            mount -t tmpfs -o mode=0755 tmpfs \$root/dev
            mkdir \$root/dev/{net,pts,shm}
            for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 net/tun:10:200 loop-control:10:237; do
                IFS=: read -r name major minor <<<\$node
                mknod -m 0666 \$root/dev/\$name c \$major \$minor
            done
            ln -s /proc/self/fd \$root/dev/fd
            ln -s pts/ptmx \$root/dev/ptmx
            mount -t devpts -o newinstance,ptmxmode=0666 devpts \$root/dev/pts
            mount -t tmpfs tmpfs \$root/dev/shm
            mount -t tmpfs -o mode=0755 tmpfs \$root/run
            hostname scene
            mkdir -p \$root/.old
            cd \$root
            pivot_root . .old
            umount -l /.old
            exec env -i container=scene PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
                /lib/systemd/systemd --system --unit=scene.target --show-status=0 --log-target=journal
        " init "$root"' - "$ROOT" "$CGROUP" >"$SCENE/home/init.log" 2>&1 </dev/null &
    MACHINE=$!
    INIT=
    wait_for 20 "systemd" find_init || {
        cat "$SCENE/home/init.log"
        abort "the machine does not start"
    }
    MACHINE_PID[home]=$INIT
    plug_in
    wait_for 30 "systemd's socket" in_home systemctl is-system-running --wait || :
    in_home systemctl is-active scene.target >/dev/null || {
        cat "$SCENE/home/init.log"
        in_home systemctl list-units --failed
        abort "systemd does not reach its target"
    }
}
find_init() {
    local at=$MACHINE next
    while next=$(pgrep --parent "$at" | sed -n 1p) && [ -n "$next" ]; do
        at=$next
        if [ "$(cat "/proc/$at/comm")" = systemd ]; then
            INIT=$at
            return 0
        fi
    done
    return 1
}
in_home() { nsenter --target "$INIT" --all --wdns=/ -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
power_off() {
    [ -z "${INIT:-}" ] || kill -KILL "$INIT" 2>/dev/null
    [ -z "${MACHINE:-}" ] || wait "$MACHINE" 2>/dev/null
    [ -z "$CGROUP" ] || {
        wait_for 5 "the end of all processes" bash -c "! grep -rq . $CGROUP --include=cgroup.procs"
        find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
    }
    INIT='' MACHINE='' CGROUP=''
}
trap power_off EXIT

# ---- the world, with the booted machine as home

# The network of the machine, as a manager of networks sets it up: after network-pre.target, when its link is there.
network_unit() {
    cat >"$ROOT/etc/network" <<EOT
until [ -e /sys/class/net/eth0 ]; do sleep 0.05; done
ip link set lo up
ip link set eth0 up
ip address add $HOME_V4/24 dev eth0
ip route add default via 192.0.2.1
EOT
    cat >"$ROOT/etc/systemd/system/scene-network.service" <<'EOT'
[Unit]
DefaultDependencies=no
Wants=network-pre.target network.target
After=network-pre.target
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=bash -eu /etc/network
EOT
    sed -i 's/^Requires=basic.target/& scene-network.service/; s/^After=basic.target/& scene-network.service/' \
        "$ROOT/etc/systemd/system/scene.target"
}
# The booted machine gets its cable; the other end is listened to before anything can come out of this one.
plug_in() {
    ip link add cable-a type veth peer name cable-b || abort "cannot make a veth pair"
    ip link set cable-b netns "${MACHINE_PID[provider]}" name eth0
    on provider ip link set eth0 up
    on provider ip address add 192.0.2.1/24 dev eth0
    wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
    ip link set cable-a netns "$INIT" name eth0
}

control_group
make_root
network_unit
install_wgd
machine provider
machine internet
start_machine
cable provider eth1 internet eth0
on provider bash -euc "
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip address add 198.51.100.1/24 dev eth1
    ip address add $PEER_V4/32 dev lo"
on internet bash -euc "
    ip address add $INTERNET_V4/24 dev eth0
    # Answers what comes out of the tunnel, and nothing else.
    ip route add 10.5.0.0/24 via 198.51.100.1"
make_keys
provider_peer
# shellcheck disable=SC2034 # scene.sh reads it
LOGS_OF_INTEREST=("$SCENE/journal")
keep_journal() { in_home journalctl --no-pager --output=cat >"$SCENE/journal" 2>&1; }

# Commands that the sandbox is to deny, run by wgd on behalf of a profile: they have its rights.
cat >"$ROOT/etc/attempts" <<'EOT'
exec 2>/dev/null
try() { local what=$1; shift; if "$@" >/dev/null; then echo "attempt: $what: done"; else echo "attempt: $what: denied"; fi; }
try "write to /usr" touch /usr/x
try "write to /var" touch /var/x
try "write to /etc/systemd" touch /etc/systemd/system/x
try "write to /etc/dbus-1" touch /etc/dbus-1/x
try "read /home" cat /home/diary
try "mount" mount -t tmpfs tmpfs /mnt
try "new namespace" unshare --user true
try "device node" mknod /run/wgd/disk b 8 0
try "other device" sh -c ': </dev/loop-control'
try "packet socket" /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'
try "host name" hostname other
try "network sysctl" sysctl -w net.ipv4.conf.lo.rp_filter=0
try "own runtime directory" touch /run/wgd/attempt
true
EOT
profile() {
    full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^DNS/d; s/^Address.*/&\nPreUp = bash \/etc\/attempts/'
}
install -d -m 0700 "$ROOT/etc/wireguard"
(umask 077 && profile >"$ROOT/etc/wireguard/home.conf")
install -d "$ROOT/etc/wgd"
printf '[defaults]\nbackend = "userspace"\n' >"$ROOT/etc/wgd/wgd.toml"
wgctl_says() { in_home wgctl status --json "$1" | jq -r '.. | .state? // empty' | sed -n 1p; }
is_up() { [ "$(wgctl_says "$1")" = up ]; }
main_pid() { in_home systemctl show --property=MainPID --value wgd; }

heading "The machine boots"
in_home systemd-sysusers
in_home systemd-tmpfiles --create wgd.conf
in_home systemctl daemon-reload
check "the datapath has a user of its own" in_home id wgd-datapath
check "wgd starts" in_home systemctl enable --now wgd
check "  ... and is active" in_home systemctl is-active wgd
[ "$(failed_checks)" = 0 ] || {
    keep_journal
    finish
}

heading "systemctl enable --now wgctl@home"
check "it comes up" in_home systemctl enable --now wgctl@home
check "  ... in userspace" is_up home
check "traffic flows" in_home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "it will at boot" in_home systemctl is-enabled wgctl@home
check "the datapath runs as its user" bash -c \
    "nsenter --target $INIT --all --wdns=/ -- ps -o user= -C wgd-datapath | grep -q wgd-data"

heading "What the unit denies is denied"
keep_journal
grep -o 'attempt: .*' "$SCENE/journal" >"$SCENE/attempts" || :
quote <"$SCENE/attempts"
for what in "write to /usr" "write to /var" "write to /etc/systemd" "write to /etc/dbus-1" "read /home" mount "new namespace" "device node" "other device" \
    "packet socket" "host name"; do
    check "denied: $what" grep -q "attempt: $what: denied" "$SCENE/attempts"
done
for what in "network sysctl" "own runtime directory"; do
    check "done: $what" grep -q "attempt: $what: done" "$SCENE/attempts"
done
in_home bash /etc/attempts >"$SCENE/attempts"
if [ "$(grep -c ': done$' "$SCENE/attempts")" = "$(wc -l <"$SCENE/attempts")" ]; then
    pass "outside of the unit all of them are possible"
else
    fail "outside of the unit all of them are possible" "$SCENE/attempts"
fi
in_home cat "/proc/$(main_pid)/status" >"$SCENE/status"
check "system calls are filtered" grep -q '^Seccomp:[[:space:]]*2' "$SCENE/status"
check "no new privileges" grep -q '^NoNewPrivs:[[:space:]]*1' "$SCENE/status"

heading "A TCP stream through restart, crash and upgrade of the daemon"
start_numbers internet
nsenter --target "$INIT" --net -- socat -u "TCP:$INTERNET_V4:5002" "CREATE:$SCENE/stream" &
stream=$!
datapath_pids() { in_home pgrep --exact wgd-datapath | sort; }
check "it flows" flows 10
datapath_pids >"$SCENE/datapath"
upgrade() { # another file, as a package puts it there
    in_home cp /usr/sbin/wgd /usr/sbin/wgd.new
    in_home mv /usr/sbin/wgd.new /usr/sbin/wgd
    in_home systemctl restart wgd
}
crash() {
    local before
    before=$(main_pid)
    [ "$before" -gt 1 ] || return 1
    in_home kill -KILL "$before"
    wait_for 10 "systemd's restart" bash -c "
        now=\$(nsenter --target $INIT --all --wdns=/ -- systemctl show --property=MainPID --value wgd)
        [ \$now != 0 ] && [ \$now != $before ] && nsenter --target $INIT --all --wdns=/ -- systemctl is-active wgd"
}
restart() { in_home systemctl restart wgd; }
for how in restart crash upgrade; do
    check "$how" "$how"
    check "  ... the tunnel is up" wait_for 10 up is_up home
    check "  ... and its unit active" in_home systemctl is-active wgctl@home
    datapath_pids >"$SCENE/datapath-now"
    check_same "  ... carried by the same processes" "$SCENE/datapath" "$SCENE/datapath-now"
    check "  ... and the stream flows" flows 10
done
kill "$stream"
check "every line came once and in order" numbers_in_order

heading "systemctl stop wgctl@home"
check "it goes down" in_home systemctl stop wgctl@home
check "the link is gone" in_home test ! -e /sys/class/net/home
check "no datapath is left" bash -c "! nsenter --target $INIT --all --wdns=/ -- pgrep --exact wgd-datapath"
check "up again" in_home systemctl start wgctl@home
check "taken down by hand" in_home wgctl down home
check "the unit stops all the same" in_home systemctl stop wgctl@home
check "  ... and is not failed" bash -c "! nsenter --target $INIT --all --wdns=/ -- systemctl is-failed wgctl@home"
check "a tunnel without a profile fails" bash -c "! nsenter --target $INIT --all --wdns=/ -- systemctl start wgctl@absent"
check "  ... its unit says so" in_home systemctl is-failed wgctl@absent

heading "a tunnel in a network namespace, with the drop-in that wgd(8) shows"
echo "nameserver 192.0.2.1" >"$ROOT/etc/resolv.conf"
(umask 077 && full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed 's/^DNS.*/DNS = 10.5.0.1/' >"$ROOT/etc/wireguard/inner.conf")
printf '[defaults]\nbackend = "userspace"\n[tunnel.inner]\nnetns = "vpn"\n' >"$ROOT/etc/wgd/wgd.toml"
check "wgd restarts" in_home systemctl restart wgd
check_refused "without it: refused" 4 'cannot make a network namespace' in_home wgctl up inner
check "  ... and nothing is left" test -z "$(in_home ip netns list)$(in_home wg show interfaces)"
install -d "$ROOT/etc/systemd/system/wgd.service.d"
sed -n '/^# NETWORK NAMESPACES/,/^# FILES/{/^```/,/^```/{/^```/d;p}}' "$WGD_SOURCE/man/wgd.8.scd" \
    >"$ROOT/etc/systemd/system/wgd.service.d/netns.conf"
check "the manual shows one" grep -q '^CapabilityBoundingSet=CAP_SYS_ADMIN' "$ROOT/etc/systemd/system/wgd.service.d/netns.conf"
check "wgd restarts with it" bash -c \
    "nsenter --target $INIT --all --wdns=/ -- bash -c 'systemctl daemon-reload && systemctl restart wgd'"
check "up" in_home wgctl up inner
check "the interface is in the namespace, for everybody to see" in_home ip -n vpn link show dev inner
check "a command in there reaches the internet" in_home wgctl exec inner -- ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "  ... and asks the tunnel's DNS" test "$(in_home wgctl exec inner -- grep -c '^nameserver 10.5.0.1$' /etc/resolv.conf)" = 1
check "wgd restarts once more" in_home systemctl restart wgd
check "it is up" is_up inner
check "down" in_home wgctl down inner
check "  ... and the namespace is gone" test -z "$(in_home ip netns list)"
rm -r "$ROOT/etc/systemd/system/wgd.service.d"
in_home systemctl daemon-reload
printf '[defaults]\nbackend = "userspace"\n' >"$ROOT/etc/wgd/wgd.toml"

heading "autoconnect"
printf '\n[tunnel.home]\nautoconnect = true\n[tunnel.late]\nautoconnect = true\nendpoint_retry = 1\n' \
    >>"$ROOT/etc/wgd/wgd.toml"
check "wgd restarts with it" in_home systemctl restart wgd
check "the tunnel comes up by itself" wait_for 10 up is_up home
wait_for 10 "a failed try" bash -c "nsenter --target $INIT --all --wdns=/ -- journalctl -u wgd | grep -q 'late: autoconnect failed'"
check "one that cannot is no reason to end" in_home systemctl is-active wgd
printf '[Interface]\nPrivateKey = %s\nAddress = 10.77.0.1/32\n' "$(wg genkey)" |
    (umask 077 && cat >"$ROOT/etc/wireguard/late.conf")
check "and comes up when it can" wait_for 20 up is_up late
check "one of them is taken down by hand" in_home wgctl down late
check "wgd restarts" in_home systemctl restart wgd
wait_for 10 up is_up home
check "the other is up" is_up home
check "this one is not brought back" eval '! is_up late'
check "  ... and the log says why" bash -c \
    "nsenter --target $INIT --all --wdns=/ -- journalctl -u wgd | grep -q 'late: it was taken down by hand, and stays down'"
check "up by hand" in_home wgctl up late
check "wgd restarts" in_home systemctl restart wgd
check "it is up" is_up late

heading "lockdown from the first moment of a boot"
printf '[daemon]\nlockdown = true\n[defaults]\nbackend = "userspace"\nmtu_probe = true\n' >"$ROOT/etc/wgd/wgd.toml"
check "wgd-lockdown.service is enabled" in_home systemctl enable wgd-lockdown
in_home systemctl disable wgctl@home >/dev/null 2>&1
wire_stop
power_off
# Two witnesses: what the firewall is before network-pre.target is reached, and a program that sends from then on,
# a thousand times a second.
cat >"$ROOT/etc/systemd/system/scene-witness.service" <<'EOT'
[Unit]
DefaultDependencies=no
Wants=network-pre.target
After=wgd-lockdown.service
Before=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=bash -c 'nft list table inet wgd-lock >/run/witness 2>&1'
[Install]
WantedBy=sysinit.target
EOT
cat >"$ROOT/etc/sender" <<'EOT'
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
targets = ((sys.argv[1], 4100), ("192.0.2.1", 53), ("192.0.2.1", 4100))
tried = 0
begin = time.monotonic()
while True:
    try:
        sender.sendto(b"secret", targets[tried % 3])
    except OSError:
        pass
    tried += 1
    if tried % 100 == 0:
        with open("/run/tried", "w") as file:
            file.write("%d\n" % tried)
    ahead = begin + tried / 1000 - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
EOT
cat >"$ROOT/etc/systemd/system/scene-sender.service" <<EOT
[Unit]
DefaultDependencies=no
After=network-pre.target
[Service]
ExecStart=python3 /etc/sender $INTERNET_V4
[Install]
WantedBy=sysinit.target
EOT
mkdir -p "$ROOT/etc/systemd/system/sysinit.target.wants"
for unit in scene-witness scene-sender; do
    ln -s "/etc/systemd/system/$unit.service" "$ROOT/etc/systemd/system/sysinit.target.wants/"
done
tried() { cat "/proc/$INIT/root/run/tried" 2>/dev/null | grep . || echo 0; }
tried_more_than() { [ "$(tried)" -gt "$1" ]; }
sent_more() { wait_for 20 "the sender" tried_more_than $(($(tried) + 300)); }
in_clear() { # counted up to a packet of the provider's own, which follows everything that was sent before
    SETTLED=$((${SETTLED:-20000} + 1))
    on provider python3 -c "
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('$HOME_V4', $SETTLED))"
    wait_for 10 "the capture" bash -c '[ "$(tcpdump -n -r "$1" "udp dst port $2" 2>/dev/null | wc -l)" -gt 0 ]' - \
        "$WIRE_DIR/other.pcap" "$SETTLED"
    wire_count other "src host $HOME_V4 and (udp dst port 4100 or udp dst port 53)"
}
since_boot() { in_home systemctl show --property=ActiveEnterTimestampMonotonic --value "$1"; }
no_lock_table() { ! in_home nft list table inet wgd-lock; }

control_group
start_machine
sent_more
check "closed before network-pre.target is reached" grep -q 'policy drop' "/proc/$INIT/root/run/witness"
check "  ... and that before the network is set up" test \
    "$(since_boot wgd-lockdown.service)" -le "$(since_boot network-pre.target)"
check "the machine has its network" in_home ip route get "$INTERNET_V4"
check "packets sent: $(tried); in clear on the wire since the boot: none" test "$(in_clear)" = 0
check_shown "wgctl status, with no tunnel up" in_home wgctl status
check_says "  ... tells that nothing leaves" 'lockdown: +closed'
check_shown "the bus as well" in_home busctl get-property org.wgd1 /org/wgd1 org.wgd1.Manager Lockdown
check_says "  ..." 's "on"'
check "a tunnel comes up" in_home wgctl up home
check "  ... and works" in_home ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
is_measured() { in_home wgctl status home | grep 'path 1500, measured' >/dev/null; }
check "  ... its path is measured, from within the unit's sandbox" wait_for 10 "a measurement" is_measured
sent_more
check "wgd ends" in_home systemctl stop wgd
sent_more
check "wgd starts" in_home systemctl start wgd
check "the tunnel goes down" in_home wgctl down home
sent_more
check "packets sent: $(tried); in clear on the wire: none" test "$(in_clear)" = 0
: >"$ROOT/etc/wgd/wgd.toml"
in_home systemctl reload wgd
check "lockdown turned off, wgd reloaded: it opens" wait_for 10 "the table to go" no_lock_table
sent_more
check "(then they are seen: the wire was listened to)" test "$(in_clear)" -gt 0
wire_stop
keep_journal
finish
