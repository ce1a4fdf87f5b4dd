#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A tunnel in a network namespace of its own (netns in wgd.toml): the interface is in there, its UDP socket out here.
# What runs in there (wgctl exec) reaches the tunnel's far end and nothing else, and asks the tunnel's DNS; not one of
# its packets is seen outside in clear. Up and down, a crash in between and a restart leave what they have to.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/wire.sh"

need_tools wg jq tcpdump strace setpriv
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
cat >"$SCENE/home/wgd.toml" <<EOT
[tunnel.home]
netns = "vpn"
EOT
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed 's/^DNS.*/DNS = 10.5.0.1, fd05::1, corp.example/' | {
    read -r first
    printf '%s\n' "$first" 'PostUp = ip -br link show dev %i >/run/hook-saw'
    cat
} | write_profile home home
on home touch /run/hook-saw
snapshot home "$SCENE/before"

inside() { wgctl home exec home -- "$@"; }
routes_of() { on home ip -j -"$1" route show table all | jq -S 'map(select(.type == null))'; }

heading "up"
check_shown "wgctl plan" wgctl home plan home
check_says "  ... makes the namespace" '^ip netns add vpn'
check_says "  ... the link outside, then moves it" '^ip link set dev home netns vpn'
check_says "  ... and does the rest inside" '^ip netns exec vpn ip -4 route add default dev home'
routes_of 4 >"$SCENE/routes4"
routes_of 6 >"$SCENE/routes6"
check "wgctl up home" wgctl home up home
check_shown "wgctl status" wgctl home status home
check_says "  ... names the namespace" 'namespace: +vpn'
check_says "  ... and the addresses in there" '10\.5\.0\.2/32'
check "the interface is not here" bash -c '! "$@"' - nsenter --target "${MACHINE_PID[home]}" --net ip link show dev home
check "ip-netns(8) knows it: the interface is up in there" bash -c '[ "$("$@" | jq -r ".[0].flags | index(\"UP\") != null")" = true ]' - \
    nsenter --target "${MACHINE_PID[home]}" --net --mount --root --wdns=/ -- ip -n vpn -j link show dev home
check "  ... with the loopback link" test "$(on home ip -n vpn -j link show dev lo | jq -r '.[0].flags | index("UP") != null')" = true
check "the hook ran in there" grep -q '^home ' <(on home cat /run/hook-saw)
routes_of 4 >"$SCENE/routes4.now"
routes_of 6 >"$SCENE/routes6.now"
check_same "the routes here are what they were, IPv4" "$SCENE/routes4" "$SCENE/routes4.now"
check_same "  ... IPv6" "$SCENE/routes6" "$SCENE/routes6.now"
check "no rules were made, here or there" test "$(on home ip rule | wc -l) $(on home ip -n vpn rule | wc -l)" = "3 3"
check "MTU from the path out here" test "$(on home ip -n vpn -j link show dev home | jq '.[0].mtu')" = 1420

heading "a command in there"
wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
check "reaches the far end" inside ping -n -c 2 -i 0.2 -W 5 10.5.0.1
check "  ... IPv6" inside ping -n -c 2 -i 0.2 -W 5 fd05::1
check "reaches the internet through it" inside ping -n -c 2 -i 0.2 -W 5 "$INTERNET_V4"
check "sees one interface beside lo" test "$(inside ls /sys/class/net | tr '\n' ' ')" = "home lo "
check_refused "does not see the machine's network" 1 'cannot find|does not exist' inside ip link show dev eth0
inside cat /etc/resolv.conf >"$SCENE/dns"
check "asks the tunnel's DNS" test "$(grep -v '^#' "$SCENE/dns" | tr '\n' ' ')" = "nameserver 10.5.0.1 nameserver fd05::1 search corp.example "
check "  ... and out here nobody's DNS changed" test "$(on home grep -c 10.5.0.1 /etc/resolv.conf)" = 0
wire_stop
wire_show_leaks >"$SCENE/out"
check_same "not a packet of it was seen outside in clear" /dev/null "$SCENE/out"
check "  ... and the encrypted ones were" test "$(wire_count sample "$WIRE_TUNNEL")" -gt 6
check "the machine's own traffic goes where it went" on home ping -n -c 1 -W 5 "$INTERNET_V4"
check "  ... not through the tunnel" test "$(on home ip -j route get "$INTERNET_V4" | jq -r '.[0].dev')" = eth0

heading "exit status, signals, users"
inside sh -c 'exit 42'
check "the exit status is the command's" test $? = 42
inside no-such-program 2>/dev/null
check "127 if there is none" test $? = 127
inside /etc 2>"$SCENE/said"
rc=$?
check "126 if it cannot be run (is: $rc $(cat "$SCENE/said"))" test $rc = 126
inside sh -c 'kill -TERM $$' 2>/dev/null
check "a signal that ends it" test $? = 143
check "its words are its own" test "$(inside printf '%s|' --help -- '-x y')" = '--help|--|-x y|'
check_refused "a tunnel without a namespace" 6 "tunnel 'nothing' is not up" wgctl home exec nothing -- true
install -m 0755 "$BIN/wgctl" "$SCENE/wgctl"
check_refused "a user may not" 4 'root' on home setpriv --reuid=65534 --regid=65534 --clear-groups "$SCENE/wgctl" exec home -- true
check "under sudo the command is the user's" test \
    "$(on home env SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody "$BIN/wgctl" exec home -- id -u)" = 65534
check "  ... unless it is to stay root's" test \
    "$(on home env SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody "$BIN/wgctl" exec --root home -- id -u)" = 0

heading "restart: taken over in there"
stop "$WGD_PID"
check "the tunnel goes on without the daemon" on home ip netns exec vpn ping -n -c 1 -W 5 10.5.0.1
start_wgd home
check "state up" test "$(wgctl home status --json home | jq -r '.tunnels[0].state')" = up
check "  ... in its namespace" test "$(wgctl home status --json home | jq -r '.tunnels[0].netns')" = vpn
check "  ... and it works" inside ping -n -c 1 -W 5 10.5.0.1

heading "killed while it is up"
stop "$WGD_PID" KILL
start_wgd home
check "state up" test "$(wgctl home status --json home | jq -r '.tunnels[0].state')" = up

heading "down"
check "wgctl down home" wgctl home down home
on home truncate -s 0 /run/hook-saw
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"
check "the namespace is gone" test -z "$(on home ip netns list)"

heading "a namespace that an administrator made is used, and stays"
on home ip netns add vpn
snapshot home "$SCENE/mine"
check "up" wgctl home up home
check "works" inside ping -n -c 1 -W 5 10.5.0.1
check "down" wgctl home down home
on home truncate -s 0 /run/hook-saw
snapshot home "$SCENE/mine.after"
check_same "the machine is as before" "$SCENE/mine" "$SCENE/mine.after"
check "the namespace is there, without a tunnel" test "$(on home ip -n vpn -j link | jq length)" = 1
on home ip netns delete vpn

heading "a namespace that is in use stays"
check "up" wgctl home up home
start home sleeper "$BIN/wgctl" exec home -- sleep 60
sleeper=$STARTED
wait_for 10 "the command" on home bash -c 'ip netns pids vpn | grep -q .'
check "down" wgctl home down home
check "it is there" test "$(on home ip netns list | cut -d' ' -f1)" = vpn
stop "$sleeper"
check "up and down once more" wgctl home up home
check "  ..." wgctl home down home
check "it is gone" test -z "$(on home ip netns list)"

heading "what somebody takes away in there is put back"
check "up" wgctl home up home
there() { # what the tunnel is in its namespace
    on home bash -c 'for what in "link show dev home" "address show dev home scope global" "-4 route" "-6 route"; do
        ip -n vpn -o $what | sed "/fe80/d"; done' 2>/dev/null
}
there >"$SCENE/there"
is_back() { cmp -s "$SCENE/there" <(there); }
for what in "route delete default" "-6 route delete default" "address flush dev home scope global" \
    "address delete $TUNNEL_V6/128 dev home" "link set dev home mtu 1300" "link set dev home down"; do
    # shellcheck disable=SC2086
    on home ip -n vpn $what
    check "ip $what: back" wait_for 3 "it" is_back
done
check "the log tells" grep -q "home: .*by somebody; put back" "$SCENE/home/wgd.log"
check "  ... and status" test "$(wgctl home status --json home | jq '.tunnels[0].drift.count')" -ge 6
check "it works" inside ping -n -c 1 -W 5 10.5.0.1

heading "the link is deleted in there by somebody else"
on home ip -n vpn link delete home
check "it is noticed" wait_for 10 "state failed" bash -c '[ "$("$@" | jq -r ".tunnels[0].state")" = failed ]' - \
    nsenter --target "${MACHINE_PID[home]}" --net --mount --root --wdns=/ -- "$BIN/wgctl" status --json home
check "down" wgctl home down home
on home truncate -s 0 /run/hook-saw
snapshot home "$SCENE/after"
check_same "the machine is as before" "$SCENE/before" "$SCENE/after"

heading "killed in the middle of up"
EFFECTS=sendmsg,sendto,write,rename,unlink,mkdir,clone,clone3,vfork,mount,setns,unshare
failed=$(failed_checks) killed=0
for number in $(seq 1 2 31); do # strace counts for each thread by itself
    rm -f "$SCENE/strace.log"
    strace -f -p "$WGD_PID" -o "$SCENE/calls" -e "trace=$EFFECTS" -e "inject=$EFFECTS:signal=KILL:when=$number" 2>"$SCENE/strace.log" &
    tracer=$!
    wait_for 10 strace grep -q attached "$SCENE/strace.log" || break
    wgctl home up home >"$SCENE/said" 2>&1
    kill -INT "$tracer" 2>/dev/null
    wait "$tracer" 2>/dev/null
    if ! kill -0 "$WGD_PID" 2>/dev/null; then
        wait "$WGD_PID" 2>/dev/null
        killed=$((killed + 1))
        start_wgd home
    fi
    wgctl home down home >/dev/null 2>&1
    on home truncate -s 0 /run/hook-saw
    snapshot home "$SCENE/after"
    diff -u "$SCENE/before" "$SCENE/after" >"$SCENE/diff" || {
        { tail -n 2 "$SCENE/calls"; cat "$SCENE/diff"; } >"$SCENE/trouble"
        fail "killed at call $number: the machine is as before" "$SCENE/trouble"
        wgctl home down home >/dev/null 2>&1
        on home ip netns delete vpn 2>/dev/null
        snapshot home "$SCENE/before"
    }
done
check "killed $killed times, and each time the machine is as before" test "$(failed_checks)" = "$failed" -a "$killed" -gt 5
finish
