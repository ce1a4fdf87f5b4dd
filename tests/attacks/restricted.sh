#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Restricted hosts: /proc/sys read-only, no nftables, no IPv6. What is not possible is named, what is possible is
# done; a kill switch that cannot be set refuses the up.
. "$(dirname "${BASH_SOURCE[0]}")/../system/scene.sh"

need_tools wg wireguard-go nft ping python3
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
provider_peer
start_bus home
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^DNS/d' | write_profile home plain
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^DNS/d' | write_profile home locked
full_tunnel_profile "$PEER_V4:$PEER_PORT" | sed '/^DNS/d; s|^AllowedIPs.*|AllowedIPs = 10.5.0.0/24|' | write_profile home gate
cat >"$SCENE/home/wgd.toml" <<EOT
[tunnel.locked]
kill_switch = true
[tunnel.gate]
masquerade = true
mss_clamp = true
isolate_peers = true
EOT
printf '[daemon]\nlockdown = true\n' >"$SCENE/home/lockdown.toml"
reaches() { on home ping -n -c 2 -i 0.2 -W 5 "$1"; }

heading "/proc/sys is read-only"
on home mount --bind -o ro /proc/sys /proc/sys 2>/dev/null || on home bash -c 'mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys'
check "(it is)" bash -c '! nsenter --target "$0" --net --mount --root bash -c "echo 1 >/proc/sys/net/ipv4/ip_forward" 2>/dev/null' "${MACHINE_PID[home]}"
start_wgd home
snapshot home "$SCENE/before"
check_shown "a full tunnel comes up" wgctl home up plain
check "  ... and works" reaches "$INTERNET_V4"
check_shown "status" wgctl home status plain
check_says "what is missing is named" 'src_valid_mark cannot be set to 1.*read-only'
check "wgctl down plain" wgctl home down plain
check "a gateway comes up" wgctl home up gate
check_shown "status" wgctl home status gate
check_says "that it forwards nothing is named" 'ip_forward cannot be set to 1.*read-only'
check "wgctl down gate" wgctl home down gate
check "a kill switch is a matter of nftables: it comes up" wgctl home up locked
check "  ... and works" reaches "$INTERNET_V4"
check_shown "status" wgctl home status locked
check_says "that ARP tells of the address inside is named" 'arp_ignore cannot be set to 1.*read-only'
check "wgctl down locked" wgctl home down locked
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
stop "$WGD_PID"
on home umount /proc/sys

# The machine has no nftables when the kernel refuses its netlink family.
heading "No nftables"
cat >"$SCENE/no_nft.py" <<'EOT'
import ctypes, struct, os, sys
# seccomp: socket(AF_NETLINK, *, NETLINK_NETFILTER) fails with EPROTONOSUPPORT, everything else is allowed.
libc = ctypes.CDLL(None, use_errno=True)
def instruction(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
program = b"".join([
    instruction(0x20, 0, 0, 0), instruction(0x15, 0, 5, number),
    instruction(0x20, 0, 0, 16), instruction(0x15, 0, 3, 16),
    instruction(0x20, 0, 0, 32), instruction(0x15, 0, 1, 12),
    instruction(0x06, 0, 0, 0x00050000 | 93),
    instruction(0x06, 0, 0, 0x7fff0000)])
buffer = ctypes.create_string_buffer(program)
head = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
if libc.prctl(22, 2, ctypes.c_char_p(head), 0, 0) != 0:
    sys.exit("cannot filter system calls: %s" % os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
EOT
start home wgd python3 "$SCENE/no_nft.py" "$BIN/wgd" --config "$SCENE/home/wgd.toml" --runtime-dir /run/wgd
WGD_PID=$STARTED
# shellcheck disable=SC2034 # scene.sh reads it
LOGS_OF_INTEREST=("$SCENE/home/wgd.log")
wait_for 15 "wgd's name on the bus" wgd_up_or_dead home
wgd_has_name home || abort "wgd does not start"
snapshot home "$SCENE/before"
check "a full tunnel comes up" wgctl home up plain
check "  ... and works" reaches "$INTERNET_V4"
check_shown "status" wgctl home status plain
check_says "what is missing is named" 'without the firewall rules of a full tunnel'
check "wgctl down plain" wgctl home down plain
check "a gateway comes up" wgctl home up gate
check_shown "status" wgctl home status gate
check_says "that nothing is masqueraded is named" 'without masquerading'
check_says "  ... nothing clamped" 'without mss_clamp'
check_says "  ... nobody isolated" 'without isolate_peers'
check "wgctl down gate" wgctl home down gate
check_refused "a kill switch refuses" 1 'kill switch cannot be closed' wgctl home up locked
check_refused "lockdown at boot fails, and says so" 1 'firewall cannot be closed' on home \
    python3 "$SCENE/no_nft.py" "$BIN/wgd" --config "$SCENE/home/lockdown.toml" --lockdown
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
stop "$WGD_PID"

heading "No IPv6"
on home bash -c 'for scope in all default; do echo 1 >/proc/sys/net/ipv6/conf/$scope/disable_ipv6; done'
start_wgd home
snapshot home "$SCENE/before"
check "a kill switch comes up" wgctl home up locked
check "  ... and the tunnel works" reaches "$INTERNET_V4"
check_shown "status" wgctl home status locked
check_says "what is missing is named" 'IPv6 is disabled'
check "wgctl down locked" wgctl home down locked
check "a gateway comes up" wgctl home up gate
check "  ... for IPv4" test "$(on home cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr '\n' ' ')" = "1 0 "
check "wgctl down gate" wgctl home down gate
snapshot home "$SCENE/after"
check_same "home is what it was" "$SCENE/before" "$SCENE/after"
finish
