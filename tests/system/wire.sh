# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The eavesdropper: reads the cable between home and its provider and tells what may be there from what may not.
# Needs scene.sh.
#
# Two captures run at once. The first keeps only what is *not* WireGuard between the two known ends: it is nearly
# empty, so that nothing is lost however fast the tunnel is, and it must contain nothing but what a link needs to
# work at all (ARP, neighbour discovery, multicast membership). The second takes the beginning of the first packets
# of all kinds, to look inside: every datagram must be one of WireGuard's four messages, and no byte of the known
# plaintext may be seen.

WIRE_HOUSEKEEPING='arp or (icmp6 and ip6[40] >= 133 and ip6[40] <= 137) or (ip6[6] = 0 and ip6[40] = 58 and ip6[48] = 143)'
WIRE_MESSAGE='(udp[8:4] = 0x01000000 or udp[8:4] = 0x02000000 or udp[8:4] = 0x03000000 or udp[8:4] = 0x04000000)'

# Begins to listen on LINK of MACHINE, where encrypted traffic is what runs between the two given ends.
wire_listen() { # MACHINE LINK HOME-ADDRESS PEER-ADDRESS PEER-PORT
    local machine=$1 link=$2 tunnel
    tunnel="(udp and ((src host $3 and dst host $4 and dst port $5) or (src host $4 and dst host $3 and src port $5)))"
    WIRE_TUNNEL=$tunnel WIRE_DIR=$SCENE/wire
    rm -rf "$WIRE_DIR" && mkdir -p "$WIRE_DIR"
    wire_capture "$machine" "$link" other -s 200 "not $tunnel"
    WIRE_OTHER=$STARTED
    wire_capture "$machine" "$link" sample -s 200 -c 20000 ""
    WIRE_SAMPLE=$STARTED
}

wire_capture() { # MACHINE LINK NAME TCPDUMP-ARGUMENTS...
    local machine=$1 link=$2 name=$3 log=$SCENE/$1/tcpdump-$3.log
    shift 3
    rm -f "$log"
    start "$machine" "tcpdump-$name" tcpdump -i "$link" -n -U --immediate-mode -B 16384 -Z root -w "$WIRE_DIR/$name.pcap" "$@"
    wait_for 10 "tcpdump" grep -q 'listening on' "$log" || { cat "$log"; abort "tcpdump does not start"; }
    ln -sf "$log" "$WIRE_DIR/$name.log"
}

wire_stop() {
    stop "$WIRE_OTHER" INT
    stop "$WIRE_SAMPLE" INT # may have ended by itself after its 20000 packets
}

wire_count() { # NAME FILTER
    tcpdump -n -r "$WIRE_DIR/$1.pcap" "$2" 2>/dev/null | wc -l
}

# Packets that neither the tunnel nor the link itself explains.
wire_leaks() { wire_count other "not ($WIRE_HOUSEKEEPING)"; }
wire_show_leaks() { tcpdump -n -r "$WIRE_DIR/other.pcap" "not ($WIRE_HOUSEKEEPING)" 2>/dev/null | sed -n 1,20p; }
wire_dropped() { awk '/dropped by kernel/ { print $1 }' "$WIRE_DIR/other.log"; }

wire_lacks() { # TEXT
    ! grep -qaF -- "$1" "$WIRE_DIR/sample.pcap"
}

# The verdict over everything that was heard since wire_listen.
wire_check() { # PLAINTEXT-MARKER
    local leaks
    wire_stop
    leaks=$(wire_leaks)
    say "on the wire: $(wire_count other "$WIRE_HOUSEKEEPING") packets of ARP and neighbour discovery," \
        "$leaks packets outside the tunnel; looked into the first $(wire_count sample "$WIRE_TUNNEL") tunnel packets"
    check "the eavesdropper missed no packet outside the tunnel" test "$(wire_dropped)" = 0
    if [ "$leaks" = 0 ]; then
        pass "nothing left unencrypted"
    else
        wire_show_leaks >"$SCENE/out"
        fail "nothing left unencrypted" "$SCENE/out"
    fi
    check "encrypted packets were on the wire" test "$(wire_count sample "$WIRE_TUNNEL")" -gt 0
    check "every one of them is a WireGuard message" test "$(wire_count sample "$WIRE_TUNNEL and not $WIRE_MESSAGE")" = 0
    check "none contains a byte sequence of the plaintext" wire_lacks "$1"
}
