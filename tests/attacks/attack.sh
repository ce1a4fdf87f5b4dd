# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What attacks have in common: the capture on the cable between home and its provider, up to a known moment, and a
# program at home that sends all the time. Needs scene.sh, world.sh, wire.sh and make_world.

listen() { wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"; }

# Until everything that was sent before is in the capture: a packet of the attacker's, sent now, is in it.
settle() {
    SETTLED=$((${SETTLED:-20000} + 1))
    on provider python3 -c "
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('$HOME_V4', $SETTLED))"
    wait_for 10 "the capture" bash -c '[ "$(tcpdump -n -r "$1" "udp dst port $2" 2>/dev/null | wc -l)" -gt 0 ]' - \
        "$WIRE_DIR/other.pcap" "$SETTLED"
}

# Packets of home's in clear, of those that the attack sends.
in_clear() { # FILTER
    settle
    wire_count other "ether src $(home_mac) and ($1)"
}
nothing_in_clear() { # FILTER; shows the packets if there are any
    settle
    ! tcpdump -n -tt -r "$WIRE_DIR/other.pcap" "ether src $(home_mac) and ($1)" 2>/dev/null | grep .
}
home_mac() { on home cat /sys/class/net/eth0/address; }

# ---- a program that sends a thousand times a second, to the internet, both families, and to a name server

cat >"$SCENE/sender.py" <<'EOT2'
import socket, sys, time
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
targets = [(four, (sys.argv[1], 4100)), (six, (sys.argv[2], 4100)), (four, (sys.argv[3], 53))]
tried = 0
begin = time.monotonic()
while True:
    s, target = targets[tried % 3]
    try:
        s.sendto(b"secret", target)
    except OSError:
        pass
    tried += 1
    if tried % 100 == 0:
        open(sys.argv[4], "w").write("%d\n" % tried)
    ahead = begin + tried / 1000 - time.monotonic()
    if ahead > 0:
        time.sleep(ahead)
EOT2
start_sender() { # [NAME-SERVER]
    echo 0 >"$SCENE/tried"
    start home sender python3 "$SCENE/sender.py" "$INTERNET_V4" "$INTERNET_V6" "${1:-192.0.2.1}" "$SCENE/tried"
    SENDER=$STARTED
    sent_more
}
# Until it has sent some hundred more: what follows does not happen between two packets of it.
sent_more() {
    local before
    before=$(cat "$SCENE/tried")
    wait_for 20 "the sender" bash -c '[ "$(cat "$1")" -gt "$2" ]' - "$SCENE/tried" "$((before + 200))"
}
