#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Name resolution of a tunnel, through every kind of keeper of /etc/resolv.conf as Debian ships it: nobody (the file),
# openresolv, Debian's resolvconf, systemd-resolved, NetworkManager. Who answers is seen by what is answered: a server
# on the local network and one that is reached only inside the tunnel give the same names different addresses.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/debian.sh"

need_tools wg wireguard-go jq dnsmasq getent busctl
need_programs wgd wgctl wgd-datapath
if [ "${WGD_IN_SCENE:-}" != 1 ]; then
    for package in openresolv resolvconf systemd-resolved network-manager libnm0 libndp0; do unpack_debian "$package"; done
fi
enter_scene "$@"
FAKE_LOGIND=$WGD_BUILD/tests/fake_logind
[ -x "$FAKE_LOGIND" ] || abort "$FAKE_LOGIND is not built"
KEEPERS=${*:-file openresolv debian resolved networkmanager}

LAN_SERVER=192.0.2.1 TUNNEL_SERVER=10.5.0.1

make_world
provider_peer
# who.test and web.corp.example: 192.0.2.80 says the local server, 10.5.0.80 the one inside the tunnel.
start_server() { # LABEL ADDRESS ANSWER
    start provider "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces \
        --listen-address="$2" --log-queries --log-facility=- --pid-file= --user=root \
        --address="/who.test/$3" --address="/web.corp.example/$3" --address="/web.corp.lan/$3"
    wait_for 5 "dnsmasq $1" bash -c "nsenter --target ${MACHINE_PID[provider]} --net ss -Hln 'src $2 and sport = :53' | grep -q ."
}
start_server lan-dns $LAN_SERVER 192.0.2.80
start_server tunnel-dns $TUNNEL_SERVER 10.5.0.80

profile() { # DNS [ADDRESS]
    cat <<EOT
[Interface]
PrivateKey = $HOME_KEY
Address = ${2:-$TUNNEL_V4/32}
DNS = $1
[Peer]
PublicKey = $PEER_PUBLIC
PresharedKey = $PSK
Endpoint = $PEER_V4:$PEER_PORT
AllowedIPs = 10.5.0.0/24
EOT
}
profile "$TUNNEL_SERVER, corp.lan" | write_profile home home
profile "$TUNNEL_SERVER, ~corp.example" | write_profile home split
profile "corp.lan" | write_profile home search
# A second tunnel at the same time, with a server of which the file is enough to see.
cat <<EOT | write_profile home other
[Interface]
PrivateKey = $(wg genkey)
Address = 10.6.0.2/32
DNS = 10.6.0.1
EOT

# A third one, with a peer and a server of its own, which gives the names a third address.
NEWER_KEY=$(wg genkey) NEWER_PEER_KEY=$(wg genkey)
stock_peer provider wgnewer <<EOT
[Interface]
PrivateKey = $NEWER_PEER_KEY
ListenPort = 51821
[Peer]
PublicKey = $(wg pubkey <<<"$NEWER_KEY")
AllowedIPs = 10.7.0.2/32
EOT
on provider ip address add 10.7.0.1/24 dev wgnewer
start_server newer-dns 10.7.0.1 10.7.0.80
cat <<EOT | write_profile home newer
[Interface]
PrivateKey = $NEWER_KEY
Address = 10.7.0.2/32
DNS = 10.7.0.1
[Peer]
PublicKey = $(wg pubkey <<<"$NEWER_PEER_KEY")
Endpoint = $PEER_V4:51821
AllowedIPs = 10.7.0.0/24
EOT

answer() { on home getent ahostsv4 "$1" 2>/dev/null | awk 'NR == 1 { print $1 }'; }
answered_by() { # NAME lan|tunnel|newer
    local expected
    case $2 in lan) expected=192.0.2.80 ;; tunnel) expected=10.5.0.80 ;; newer) expected=10.7.0.80 ;; esac
    [ "$(answer "$1")" = "$expected" ]
}
keeper_is() { [ "$(wgctl home status --json "$1" | jq -r '.tunnels[0].dns_backend')" = "$2" ]; }
is_settled() { [ "$(wgctl home status --json home | jq -r '.tunnels[0].state')" = up ]; }
# A tunnel that is just putting something back is busy.
down_home() { wait_for 10 "rest" is_settled && wgctl home down home; }
settings() { printf '%s\n' '[defaults]' "$@" >"$SCENE/home/wgd.toml"; }
restart_wgd() {
    [ -z "${WGD_PID:-}" ] || stop "$WGD_PID"
    start_wgd home
}
resolv_conf() { on home cat /etc/resolv.conf; }
has_line() { resolv_conf | grep -xF "$1" >/dev/null; }
has_no_line() { ! has_line "$1"; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# What all keepers have in common: up, down, overwritten, two at once in both orders.
play() { # KEEPER
    local order first second
    check "before: the local server is asked" answered_by who.test lan
    resolv_conf >"$SCENE/conf-before"
    check "up" wgctl home up home
    check "wgd tells $1" keeper_is home "$1"
    wgctl home status home | grep -E '^  (dns|warning)' | quote
    check "names go to the tunnel's server" wait_for 3 "answer" answered_by who.test tunnel
    check "a short name is completed by the tunnel's domain" wait_for 3 "answer" answered_by web tunnel
    check "nothing more to do" bash -c '[ "$(nsenter --target "$1" --net --mount --root --wdns=/ -- "$2" plan up home | grep -c resolv)" = 0 ]' \
        - "${MACHINE_PID[home]}" "$BIN/wgctl"
    check "down" down_home
    check "names go to the local server again" wait_for 3 "answer" answered_by who.test lan
    resolv_conf >"$SCENE/conf-after"
    check_same "resolv.conf is as before" "$SCENE/conf-before" "$SCENE/conf-after"

    check "up, a domain and no server" wgctl home up search
    wgctl home status search | grep -E '^  (dns|warning)' | quote
    check "  a short name is completed by it, and the local server asked" wait_for 3 "answer" answered_by web lan
    check "  as for all other names" answered_by who.test lan
    check "down" wgctl home down search
    resolv_conf >"$SCENE/conf-after"
    check_same "resolv.conf is as before" "$SCENE/conf-before" "$SCENE/conf-after"

    for order in "home other" "other home"; do
        read -r first second <<<"$order"
        check "two tunnels at once" wgctl home up other
        check "  the second" wgctl home up home
        check "  down $first" wgctl home down "$first"
        if [ "$first" = other ]; then check "  names go to the server of the one that is left" wait_for 3 "answer" answered_by who.test tunnel; fi
        check "  down $second" wgctl home down "$second"
        check "  names go to the local server" wait_for 3 "answer" answered_by who.test lan
        resolv_conf >"$SCENE/conf-after"
        check_same "  resolv.conf is as before" "$SCENE/conf-before" "$SCENE/conf-after"
    done
}

# The daemon is killed, comes back and finds all as it should be.
play_kill() {
    check "up" wgctl home up home
    stop "$WGD_PID" KILL
    check "without wgd names go to the tunnel's server" answered_by who.test tunnel
    start_wgd home
    check "after its return as well" wait_for 3 "answer" answered_by who.test tunnel
    stop "$WGD_PID" KILL
    on home ip link delete home
    wait_for 5 "its datapath to end" bash -c "! pgrep --exact wgd-datapath" # of this scene: it has its own pids
    start_wgd home
    check "the tunnel died while wgd was away: names go to the local server" wait_for 3 "answer" answered_by who.test lan
    resolv_conf >"$SCENE/conf-after"
    check_same "resolv.conf is as before" "$SCENE/conf-before" "$SCENE/conf-after"
}

# But for the log of a datapath that died with nobody to see it.
as_before() {
    snapshot home "$SCENE/after"
    sed -i '/^\/run\/wgd\/datapath\//d' "$SCENE/before" "$SCENE/after"
    check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
}

with_file() {
    heading "Nobody keeps /etc/resolv.conf"
    printf '# by hand\nsearch  lan\nnameserver %s\noptions timeout:1 attempts:1' "$LAN_SERVER" >"$SCENE/by-hand" # and no line end
    on home bash -c "rm -f /etc/resolv.conf; install -m 0640 -g 33 $SCENE/by-hand /etc/resolv.conf"
    restart_wgd
    snapshot home "$SCENE/before"
    play file
    play_kill
    as_before

    heading "The file: somebody else writes it while the tunnel is up"
    check "up" wgctl home up home
    on home bash -c "echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
    started=$(milliseconds)
    check "names go to the tunnel's server again" wait_for 3 "answer" answered_by who.test tunnel
    check "  within a second (after $(($(milliseconds) - started)) ms)" test $(($(milliseconds) - started)) -lt 1000
    on home bash -c "printf 'nameserver %s\noptions attempts:1\n' $LAN_SERVER >/etc/.new; mv /etc/.new /etc/resolv.conf"
    check "  also when it is replaced" wait_for 3 "line" has_line "nameserver $TUNNEL_SERVER"
    check "down" down_home
    check "what they wrote last is there" bash -c "printf 'nameserver %s\noptions attempts:1\n' $LAN_SERVER | cmp - <(nsenter --target ${MACHINE_PID[home]} --mount cat /etc/resolv.conf)"
    check "up" wgctl home up home
    stop "$WGD_PID"
    on home bash -c "echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
    on home ip link delete home
    start_wgd home
    check "what is not wgd's stays as it is" bash -c "echo 'nameserver $LAN_SERVER' | cmp - <(nsenter --target ${MACHINE_PID[home]} --mount cat /etc/resolv.conf)"

    heading "The file: after a power cut"
    on home bash -c "rm /etc/resolv.conf; install -m 0640 -g 33 $SCENE/by-hand /etc/resolv.conf"
    check "up" wgctl home up home
    stop "$WGD_PID" KILL
    pkill -9 --exact wgd-datapath
    on home rm -rf /run/wgd /run/wireguard
    check "the file is wgd's" has_line "nameserver $TUNNEL_SERVER"
    start_wgd home
    check "the next wgd finds the original in it" cmp "$SCENE/by-hand" <(resolv_conf)
    check "  with its mode and group" test "$(on home stat -c '%a %g' /etc/resolv.conf)" = "640 33"

    heading "The file: a link, none, a mount point, read-only"
    on home bash -c "rm /etc/resolv.conf; echo 'nameserver $LAN_SERVER' >/run/elsewhere; ln -s ../run/elsewhere /etc/resolv.conf"
    check_shown "somebody's link is left alone, which is no reason not to come up" wgctl home up home
    check_says "  and says so" 'DNS is not set: .*link to ../run/elsewhere'
    check "  the local server is asked" answered_by who.test lan
    check "down" down_home
    settings 'dns = "file"'
    restart_wgd
    check "dns = \"file\" puts a file in its place" wgctl home up home
    check "  names go to the tunnel's server" answered_by who.test tunnel
    check "down" down_home
    check "  and the link is back" test "$(on home readlink /etc/resolv.conf)" = ../run/elsewhere
    check "  leading to what it led to" has_line "nameserver $LAN_SERVER"
    settings 'dns_required = true'
    restart_wgd
    check_refused "dns_required makes it one" 1 'DNS cannot be set' wgctl home up home
    settings 'dns = "none"'
    restart_wgd
    check "dns = \"none\": up" wgctl home up home
    check "  the local server is asked" answered_by who.test lan
    check "down" down_home
    settings
    on home rm /etc/resolv.conf
    restart_wgd
    check "without a file: up" wgctl home up home
    check "  names go to the tunnel's server" answered_by who.test tunnel
    check "down" down_home
    check "  and there is none again" on home test ! -e /etc/resolv.conf
    on home bash -c "touch /etc/resolv.conf; cp $SCENE/by-hand /run/mounted; mount --bind /run/mounted /etc/resolv.conf"
    restart_wgd
    check "a mount point, as in containers: up" wgctl home up home
    check "  names go to the tunnel's server" answered_by who.test tunnel
    on home bash -c "echo 'nameserver $LAN_SERVER' >/run/mounted"
    check "  written by somebody else under its other name: back" wait_for 3 "line" has_line "nameserver $TUNNEL_SERVER"
    check "down" down_home
    check "  as it was written" bash -c "echo 'nameserver $LAN_SERVER' | cmp - <(nsenter --target ${MACHINE_PID[home]} --mount cat /etc/resolv.conf)"
    on home mount -o remount,bind,ro /etc/resolv.conf
    check_shown "read-only: up all the same" wgctl home up home
    check_says "  and says why DNS is not set" 'DNS is not set: .*read-only'
    check "down" down_home
    on home umount /etc/resolv.conf
    on home bash -c "echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
}

with_openresolv() {
    heading "openresolv"
    lay_over home openresolv
    on home bash -c "rm -f /etc/resolv.conf; printf 'nameserver %s\n' $LAN_SERVER | resolvconf -a eth0"
    restart_wgd
    snapshot home "$SCENE/before"
    play resolvconf
    play_kill
    as_before
    check "up" wgctl home up home
    check "no other server is left (-x)" has_no_line "nameserver $LAN_SERVER"
    on home bash -c "echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
    check "overwritten: back" wait_for 3 "answer" answered_by who.test tunnel
    on home resolvconf -d home
    check "its record taken away: back" wait_for 3 "answer" answered_by who.test tunnel
    # Only /etc/resolv.conf is watched; behind it, nobody sees what becomes of the record while the machine sleeps.
    start home logind bash -c "exec $FAKE_LOGIND < <(exec tail -f -n +1 $SCENE/sleep)"
    : >"$SCENE/sleep"
    wait_for 10 "logind" grep -q ready "$SCENE/home/logind.log"
    echo suspend >>"$SCENE/sleep"
    on home sed -i "s/$TUNNEL_SERVER/$LAN_SERVER/" /run/resolvconf/interfaces/home
    check "(the record is another one)" on home grep -q "$LAN_SERVER" /run/resolvconf/interfaces/home
    echo resume >>"$SCENE/sleep"
    check "the machine wakes up: the record is put right" wait_for 5 "record" on home grep -q "$TUNNEL_SERVER" /run/resolvconf/interfaces/home
    check "  and names go to the tunnel's server" wait_for 3 "answer" answered_by who.test tunnel
    check "down" down_home
    check "names go to the local server" answered_by who.test lan
    on home resolvconf -d eth0
    take_off home
}

with_debian() {
    heading "Debian's resolvconf"
    lay_over home resolvconf
    on home bash -c "cp -a $WGD_BUILD/debs/resolvconf/etc/resolvconf /etc/; rm -f /etc/resolv.conf /run/resolvconf -r; mkdir /run/resolvconf
        ln -s /run/resolvconf/resolv.conf /etc/resolv.conf; resolvconf --enable-updates
        printf 'nameserver %s\n' $LAN_SERVER | resolvconf -a eth0.inet"
    restart_wgd
    play resolvconf
    play_kill
    check "up" wgctl home up home
    check "it stands before other interfaces (tun.)" on home test -e /run/resolvconf/interface/tun.home
    check_shown "what it cannot do is said" wgctl home status home
    check_says "  other servers are still there" 'Debian.s resolvconf puts other servers behind'
    on home resolvconf -d tun.home
    check "its record taken away: back" wait_for 3 "line" has_line "nameserver $TUNNEL_SERVER"
    check "down" down_home
    check "no record is left" on home test ! -e /run/resolvconf/interface/tun.home
    on home bash -c "rm -rf /etc/resolvconf /run/resolvconf; rm /etc/resolv.conf; echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
    take_off home
}

start_resolved() {
    start home resolved /lib/systemd/systemd-resolved
    RESOLVED_PID=$STARTED
    wait_for 10 "systemd-resolved" on home busctl --system call org.freedesktop.resolve1 /org/freedesktop/resolve1 \
        org.freedesktop.DBus.Peer Ping || abort "systemd-resolved does not start: $(tail -n 3 "$SCENE/home/resolved.log")"
    on home resolvectl dns eth0 "$LAN_SERVER"
}
asked_inside() { grep -c "query\[A*\] $1 " "$SCENE/provider/tunnel-dns.log"; }

with_resolved() {
    heading "systemd-resolved"
    lay_over home systemd-resolved
    on home bash -c "mkdir -p /run/systemd; rm -f /etc/resolv.conf; ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf"
    start_resolved
    restart_wgd
    play resolved
    check "up" wgctl home up home
    check "another link's server is not asked" bash -c "
        before=\$(grep -c 'query\[A\] once.test' $SCENE/provider/lan-dns.log)
        nsenter --target ${MACHINE_PID[home]} --net --mount --root getent ahostsv4 once.test
        [ \"\$(grep -c 'query\[A\] once.test' $SCENE/provider/lan-dns.log)\" = \"\$before\" ]"
    stop "$RESOLVED_PID"
    start_resolved
    check "restarted: told again" wait_for 5 "answer" answered_by who.test tunnel
    on home resolvectl revert home
    check "told otherwise by somebody: told again" wait_for 3 "answer" answered_by who.test tunnel
    stop "$WGD_PID" KILL
    start_wgd home
    check "after a restart of wgd" wait_for 3 "answer" answered_by who.test tunnel
    check "  it is resolved still" keeper_is home resolved
    check "down" down_home
    check "names go to the local server" wait_for 3 "answer" answered_by who.test lan

    heading "systemd-resolved: split DNS"
    check "up" wgctl home up split
    inside=$(asked_inside who.test)
    check "the domain's names go to the tunnel's server" wait_for 3 "answer" answered_by web.corp.example tunnel
    check "other names to the local one" answered_by who.test lan
    check "  and only there" test "$(asked_inside who.test)" = "$inside"
    check "down" wgctl home down split
    check "the domain's names go to the local server" wait_for 3 "answer" answered_by web.corp.example lan

    heading "systemd-resolved: two tunnels that want all names"
    wants_all() { on home resolvectl domain "$1" | grep -F '~.' >/dev/null && on home resolvectl default-route "$1" | grep yes >/dev/null; }
    wants_some() { ! on home resolvectl domain "$1" | grep -F '~.' >/dev/null && on home resolvectl default-route "$1" | grep no >/dev/null; }
    check "up" wgctl home up home
    check "up, the newer" wgctl home up newer
    inside=$(asked_inside who.test)
    on home resolvectl flush-caches
    check "names go to the newer one's server" wait_for 5 "answer" answered_by who.test newer
    check "  and only there" test "$(asked_inside who.test)" = "$inside"
    check "  which alone is said to be for all" wants_all newer
    check "  and the other is not" wants_some home
    check "the older one's own domain goes to its own server" wait_for 3 "answer" answered_by web.corp.lan tunnel
    stop "$RESOLVED_PID"
    start_resolved
    check "restarted: told again, the newer" wait_for 5 "all names" wants_all newer
    check "  and the older" wait_for 5 "some names" wants_some home
    on home resolvectl revert newer
    check "told otherwise by somebody: told again" wait_for 3 "all names" wants_all newer
    stop "$WGD_PID" KILL
    start_wgd home
    check "a new wgd: the newer is still the newer" wait_for 3 "all names" wants_all newer
    check "  and the older the older" wait_for 3 "some names" wants_some home
    check "down, the newer" wgctl home down newer
    check "all names are the older one's again" wait_for 3 "all names" wants_all home
    check "  and go to its server" wait_for 3 "answer" answered_by who.test tunnel
    check "up, the newer" wgctl home up newer
    check "down, the older" wgctl home down home
    check "the newer one keeps all names" wants_all newer
    check "down, the newer" wgctl home down newer
    check "names go to the local server" wait_for 3 "answer" answered_by who.test lan

    heading "systemd-resolved does not answer"
    kill -STOP "$RESOLVED_PID"
    started=$(milliseconds)
    wgctl home up home >"$SCENE/said" 2>&1 &
    up=$!
    wait_for 5 "applying" bash -c "nsenter --target ${MACHINE_PID[home]} --net ip link show home up" || :
    asked=$(milliseconds)
    check "meanwhile wgd answers others" wgctl home list
    check "  at once ($(($(milliseconds) - asked)) ms)" test $(($(milliseconds) - asked)) -lt 1500
    rc=0
    wait "$up" || rc=$?
    check "up all the same" test "$rc" = 0
    check "  after its time limit, $(($(milliseconds) - started)) ms" test $(($(milliseconds) - started)) -lt 15000
    quote <"$SCENE/said"
    check "  with a warning" grep -q 'DNS is not set: systemd-resolved' "$SCENE/said"
    kill -CONT "$RESOLVED_PID"
    stop "$RESOLVED_PID"
    start_resolved
    check "when it is there again it is told" wait_for 5 "answer" answered_by who.test tunnel
    check "down" down_home
    stop "$RESOLVED_PID"
    check_shown "without it: up" wgctl home up home
    check_says "  and says so" "systemd-resolved's, which is not running"
    start_resolved
    check "it comes: it is told" wait_for 5 "answer" answered_by who.test tunnel
    check "down" down_home
    stop "$RESOLVED_PID"
    on home bash -c "rm /etc/resolv.conf; echo 'nameserver $LAN_SERVER' >/etc/resolv.conf"
    take_off home
}

with_networkmanager() {
    heading "NetworkManager"
    lay_over home network-manager libnm0 libndp0
    on home bash -c "ldd /usr/sbin/NetworkManager | grep 'not found'" >"$SCENE/missing" &&
        skip "NetworkManager's libraries are missing: $(tr -s '\n\t ' ' ' <"$SCENE/missing")"
    # Without udev it takes links as they are where /sys is read-only, as in a container.
    on home bash -c "mount -o remount,ro /sys; install -d /etc/NetworkManager /run/nm-state; mkdir -p /var/lib/NetworkManager
        mount --bind /run/nm-state /var/lib/NetworkManager
        printf '%s\n' '[main]' plugins=keyfile rc-manager=file dns=default auth-polkit=false no-auto-default='*' \
            '[keyfile]' path=/run/nm-state >/etc/NetworkManager/NetworkManager.conf
        echo '# nobody yet' >/etc/resolv.conf"
    start home networkmanager /usr/sbin/NetworkManager --no-daemon --config /etc/NetworkManager/NetworkManager.conf
    NM_PID=$STARTED
    wait_for 10 "NetworkManager" on home nmcli --terse general || abort "NetworkManager does not start: $(tail -n 3 "$SCENE/home/networkmanager.log")"
    on home nmcli connection add type ethernet ifname eth0 con-name lan ipv4.method manual ipv4.addresses "$HOME_V4/24" \
        ipv4.gateway 192.0.2.1 ipv4.dns "$LAN_SERVER" ipv6.method manual ipv6.addresses "$HOME_V6/64" ipv6.gateway 2001:db8:1::1 >/dev/null
    on home nmcli connection up lan >/dev/null || abort "NetworkManager does not take eth0"
    wait_for 5 "its resolv.conf" has_line "nameserver $LAN_SERVER"
    restart_wgd
    play networkmanager
    check "up" wgctl home up home
    check "no other server is left" has_no_line "nameserver $LAN_SERVER"
    stop "$NM_PID"
    start home networkmanager /usr/sbin/NetworkManager --no-daemon --config /etc/NetworkManager/NetworkManager.conf
    NM_PID=$STARTED
    check "restarted: told again" wait_for 10 "NetworkManager told" keeper_is home networkmanager
    check "  names go to the tunnel's server" wait_for 10 "answer" answered_by who.test tunnel
    check "down" down_home
    check "names go to the local server" wait_for 3 "answer" answered_by who.test lan

    heading "NetworkManager, and a tunnel with IPv6"
    profile "$TUNNEL_SERVER, corp.lan" "$TUNNEL_V4/32, $TUNNEL_V6/128" | write_profile home home
    check "up" wgctl home up home
    check "the file is written" keeper_is home file
    check "names go to the tunnel's server" wait_for 3 "answer" answered_by who.test tunnel
    on home nmcli connection up lan >/dev/null
    check "NetworkManager writes it: back" wait_for 3 "answer" answered_by who.test tunnel
    check "down" down_home
    check "NetworkManager's file is back" has_line "nameserver $LAN_SERVER"
    stop "$NM_PID"
    take_off home
}

for package in systemd-resolved network-manager; do
    on home bash -c "install -d /etc/dbus-1/system.d; cp $WGD_BUILD/debs/$package/usr/share/dbus-1/system.d/*.conf /etc/dbus-1/system.d/"
done
# The bus wants to know the user when it starts.
on home bash -c "grep -q ^systemd-resolve: /etc/passwd || { echo 'systemd-resolve:x:986:986::/run/systemd:/usr/sbin/nologin' >>/etc/passwd
    echo 'systemd-resolve:x:986:' >>/etc/group; }"
start_bus home
for keeper in $KEEPERS; do "with_$keeper"; done
finish
