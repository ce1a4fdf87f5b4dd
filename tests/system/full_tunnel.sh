#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The main job, from a profile as a VPN provider sends it to a machine as it was before. scripts/demo runs this.
. "$(dirname "${BASH_SOURCE[0]}")/scene.sh"
. "$WGD_SOURCE/tests/system/wire.sh"
. "$WGD_SOURCE/tests/system/traffic.sh"

need_tools wg wireguard-go tcpdump nft jq socat ping
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

heading "1. Three machines, each in namespaces of its own"
make_world
provider_peer
start_mirror internet || abort "the mirror does not start"
make_payload "${WGD_DEMO_MIB:-96}"
say "home ($HOME_V4) - provider ($PEER_V4, Debian's wireguard-go) - internet ($INTERNET_V4)"

heading "2. Before: home talks in clear, and the eavesdropper hears it"
wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
check "home reaches the internet" ping_ok home "$INTERNET_V4"
seen_as home "$INTERNET_V4" >"$SCENE/seen"
say "the internet sees: $(cat "$SCENE/seen")"
check "the internet sees home's own address" grep -qxF "$HOME_V4" "$SCENE/seen"
wire_stop
check "the eavesdropper reports it: $(wire_leaks) packets in clear" test "$(wire_leaks)" -gt 10

heading "3. wgd starts, on a bus of its own"
start_bus home
start_wgd home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | write_profile home home
on home cat /etc/wireguard/home.conf | sed -E 's/^(P[a-z]*Key) = [^=]{20}.*=$/\1 = (hidden)/' | quote
snapshot home "$SCENE/before"

heading "4. wgctl plan home: what would be done; nothing is touched"
check_shown "wgctl plan home" wgctl home plan home
snapshot home "$SCENE/planned"
check_same "the plan changed nothing" "$SCENE/before" "$SCENE/planned"

heading "5. wgctl up home"
wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"
start internet tcpdump-inside tcpdump -i eth0 -n -U --immediate-mode -s 200 -c 2000 -Z root -w "$SCENE/inside.pcap" tcp
check_shown "wgctl up home" wgctl home up home

heading "6. Through the tunnel"
check "ping, IPv4" ping_ok home "$INTERNET_V4"
check "ping, IPv6" ping_ok home "$INTERNET_V6"
seen_as home "$INTERNET_V4" >"$SCENE/seen"
say "the internet sees: $(cat "$SCENE/seen")"
check "the internet sees the tunnel's address, IPv4" grep -qxF "$TUNNEL_V4" "$SCENE/seen"
seen_as home "$INTERNET_V6" >"$SCENE/seen"
check "the internet sees the tunnel's address, IPv6" grep -qxE 'fd05:(0*:)*(0*2)' "$SCENE/seen"
transfer "upload" home internet "$INTERNET_V4"
transfer "download" internet home "$TUNNEL_V4"
transfer "upload, IPv6" home internet "$INTERNET_V6"

heading "7. wgctl status home"
check_shown "wgctl status home" wgctl home status home
check_says "it names the peer" provider
check_says "  ... its public key" "${PEER_PUBLIC//+/\\+}"
check "the stock peer agrees: handshake and traffic" bash -c '
    awk -v moved="$1" "\$5 > 0 && \$6 > moved && \$7 > moved { ok = 1 } END { exit !ok }"' - \
    "$((${WGD_DEMO_MIB:-96} * 1000000))" < <(on provider wg show wgpeer dump | tail -n +2)
check "no key is in the daemon's log" bash -c '! grep -qF -e "$1" -e "$2" "$3"' - \
    "${HOME_KEY%=}" "${PSK%=}" "$SCENE/home/wgd.log"

heading "8. wgctl down home"
check_shown "wgctl down home" wgctl home down home

heading "9. What was on the wire from before 'up' until after 'down'"
wire_check "$PLAINTEXT_MARKER"
check "(the same search finds it behind the tunnel)" grep -qaF "$PLAINTEXT_MARKER" "$SCENE/inside.pcap"

heading "10. Home is as it was"
snapshot home "$SCENE/after"
check_same "links, addresses, routes, rules, nftables, sysctls, files and processes are what they were" \
    "$SCENE/before" "$SCENE/after"
check "home reaches the internet as before" ping_ok home "$INTERNET_V4"
stop "$WGD_PID"
check "wgd ends when asked, with status 0" test $? = 0
processes_on home >"$SCENE/left"
check "no process is left but the bus" bash -c '[ "$(cat "$1")" = dbus-daemon ]' - "$SCENE/left"

finish
