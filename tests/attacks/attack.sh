# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What attacks have in common: the capture on the cable between home and its provider, up to a known moment, and a
# program at home that sends all the time. Needs scene.sh, world.sh, wire.sh and make_world.

listen() { wire_listen provider eth0 "$HOME_V4" "$PEER_V4" "$PEER_PORT"; }

# Until everything that was sent before is in the capture: a packet of the attacker's, sent now, is in it.
# Each has a port of its own, also in a subshell: the marks are counted in a file. Without it the count means nothing.
settle() {
    local port
    echo mark >>"$SCENE/marks"
    port=$((20000 + $(wc -l <"$SCENE/marks")))
    on provider bash -c 'echo mark >/dev/udp/$0/$1' "$HOME_V4" "$port"
    WGD_POLL=0.02 wait_for 20 "the capture" captured "$port" >&2 || abort "the capture does not keep up" >&2
}
captured() { # PORT
    [ "$(wire_count other "udp dst port $1")" -gt 0 ]
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
