# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Traffic between two machines that shows whether it arrived whole: a known text over TCP. Needs scene.sh.

PLAINTEXT_MARKER='wgd plain text line'

# A text of numbered lines, so that loss, repetition and reordering all change its checksum.
make_payload() { # MEBIBYTES
    PAYLOAD=$SCENE/payload
    seq -f "$PLAINTEXT_MARKER %020.0f" 1000000000 2>/dev/null | head -c "$(($1 * 1048576))" >"$PAYLOAD"
    PAYLOAD_SUM=$(sha256sum <"$PAYLOAD")
}

# Sends the payload over TCP, shows how far it is, and compares what arrived. The rate is left in $RATE (Mbit/s).
transfer() { # DESCRIPTION FROM TO ADDRESS-OF-TO
    local description=$1 from=$2 to=$3 address=$4 size got=0 begin ended receiver sender rc=0
    size=$(stat -c %s "$PAYLOAD")
    rm -f "$SCENE/received"
    start "$to" receiver socat -u "TCP-LISTEN:5001,reuseaddr$([[ $address == *:* ]] && echo ,pf=ip6)" "CREATE:$SCENE/received"
    receiver=$STARTED
    wait_for 5 "the receiver" bash -c "nsenter --target ${MACHINE_PID[$to]} --net ss -Hltn 'sport = :5001' | grep -q ." || return 1
    begin=$(date +%s%N)
    PROGRESS_SECOND=0
    [[ $address == *:* ]] && address="[$address]"
    start "$from" sender socat -u "OPEN:$PAYLOAD,rdonly" "TCP:$address:5001,connect-timeout=10"
    sender=$STARTED
    while kill -0 "$sender" 2>/dev/null; do
        got=$(stat -c %s "$SCENE/received" 2>/dev/null || echo 0)
        show_progress "$got" "$size" "$begin"
        sleep 0.1
        [ $(($(date +%s%N) - begin)) -lt 120000000000 ] || kill "$sender"
    done
    wait "$sender" || rc=$?
    [ "$rc" = 0 ] || kill "$receiver" 2>/dev/null
    wait "$receiver" || rc=$?
    ended=$(date +%s%N)
    got=$(stat -c %s "$SCENE/received" 2>/dev/null || echo 0)
    RATE=$((got * 8000 / (ended - begin + 1)))
    [ -z "$SC_TTY" ] || printf '\r\e[K'
    check "$description: $((got / 1048576)) MiB in $(((ended - begin) / 1000000)) ms, $RATE Mbit/s, checksum equal" \
        same_sum "$SCENE/received" "$PAYLOAD_SUM"
}

same_sum() { # FILE SUM
    [ "$(sha256sum <"$1")" = "$2" ]
}

show_progress() { # DONE TOTAL STARTED
    local done_mib=$(($1 / 1048576)) total_mib=$(($2 / 1048576)) elapsed=$((($(date +%s%N) - $3) / 1000000 + 1)) line
    line=$(printf '%4d of %d MiB, %5d Mbit/s' "$done_mib" "$total_mib" $(($1 * 8 / 1000 / elapsed)))
    if [ -n "$SC_TTY" ]; then
        printf '\r    %s' "$line"
    elif [ $((elapsed / 1000)) != "$PROGRESS_SECOND" ]; then # in a log: once a second
        PROGRESS_SECOND=$((elapsed / 1000))
        printf '    %s\n' "$line"
    fi
}

# A TCP stream that never ends: numbered lines, 50 a second, into $SCENE/stream. For example:
#   start_numbers internet; receive_numbers home ADDRESS; flows 10; numbers_in_order
start_numbers() { # MACHINE
    start "$1" numbers socat TCP-LISTEN:5002,reuseaddr SYSTEM:'i=0; while echo $i; do i=$((i+1)); sleep 0.02; done'
    wait_for 5 "the sender" bash -c "[ -n \"\$(nsenter --target ${MACHINE_PID[$1]} --net ss -Hltn 'sport = :5002')\" ]"
}
receive_numbers() { # MACHINE ADDRESS-OF-SENDER; its pid is in $STARTED
    start "$1" stream socat -u "TCP:$2:5002" "CREATE:$SCENE/stream"
}
flows() { # MORE: that many further lines arrive, now
    local target
    target=$(($(wc -l <"$SCENE/stream" 2>/dev/null || echo 0) + $1))
    wait_for 20 "$1 more lines" bash -c "[ \$(wc -l <$SCENE/stream) -ge $target ]"
}
numbers_in_order() { # every line came once
    local lines
    lines=$(wc -l <"$SCENE/stream")
    head -n "$lines" "$SCENE/stream" | cmp - <(seq 0 $((lines - 1)))
}

# A host that tells every caller the address it sees, on TCP port 7000 of both families.
start_mirror() { # MACHINE
    start "$1" mirror4 socat TCP4-LISTEN:7000,reuseaddr,fork SYSTEM:'echo $SOCAT_PEERADDR'
    start "$1" mirror6 socat TCP6-LISTEN:7000,ipv6only,reuseaddr,fork SYSTEM:'echo $SOCAT_PEERADDR'
    wait_for 5 "the mirror" bash -c "[ \$(nsenter --target ${MACHINE_PID[$1]} --net ss -Hltn 'sport = :7000' | wc -l) = 2 ]"
}

# The address that the mirror sees when MACHINE calls it; socat writes IPv6 in full, in brackets.
seen_as() { # MACHINE MIRROR-ADDRESS
    local address=$2
    [[ $address == *:* ]] && address="[$address]"
    on "$1" timeout 10 socat -u "TCP:$address:7000,connect-timeout=5" - | tr -d '[]'
}

ping_ok() { # MACHINE ADDRESS
    on "$1" ping -n -c 3 -i 0.2 -W 5 "$2"
}
