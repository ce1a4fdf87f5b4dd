#!/bin/bash
# SPDX-License-Identifier: MIT
# wgctl under the name `wg` against stock wg(8): the same words to two equal devices, the same result; the same device
# shown by both, the same text.
set -uo pipefail
: "${WGD_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${WGD_BUILD:=$WGD_SOURCE/build/dev}"
skip() {
    echo "skipped: $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
[ -c /dev/net/tun ] || skip "/dev/net/tun is missing"
for row in wg:wireguard-tools ip:iproute2; do
    command -v "${row%%:*}" >/dev/null || skip "${row%%:*} is missing (Debian: ${row#*:})"
done

# The devices are ours because ours lists peers in one order, and that of wireguard-go changes with every look.
DATAPATH=$WGD_BUILD/bin/wgd-datapath
[ -x "$DATAPATH" ] || skip "$DATAPATH is not built"

umask 077
D=$(mktemp -d)
NS=wgdt-$$-wg
US=wgdx$$ THEM=wgdy$$ # sockets of userspace devices have one folder for the whole machine
pids=()
cleanup() {
    local pid
    for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null; done
    ip netns del $NS 2>/dev/null
    ip netns del $NS-2 2>/dev/null
    rm -f /var/run/wireguard/$US.sock /var/run/wireguard/$THEM.sock
    rm -rf "$D"
}
trap cleanup EXIT
failed=0 compared=0
bad() {
    echo "FAILED: $*"
    failed=1
}
ln -s "$WGD_BUILD/bin/wgctl" "$D/wg"
OURS=$D/wg
STOCK=$(command -v wg)
ip netns add $NS && ip netns add $NS-2 || exit 1
on() { ip netns exec $NS "$@"; }
for device in $US $THEM; do
    namespace=$NS
    [ $device = $US ] || namespace=$NS-2 # so that both can have the same port
    ip netns exec $namespace "$DATAPATH" --foreground $device >"$D/$device.log" 2>&1 &
    pids+=($!)
    for _ in $(seq 200); do
        on "$STOCK" show $device >/dev/null 2>&1 && break
        sleep 0.05
    done
    on "$STOCK" show $device >/dev/null || { cat "$D/$device.log"; exit 1; }
done
for i in 1 2 3; do
    wg genkey >"$D/key$i"
    wg genpsk >"$D/psk$i"
done
: >"$D/empty"
printf '%s\n\nx' "$(<"$D/key1")" >"$D/trailing"
echo short >"$D/short"
P1=$(wg pubkey <"$D/key1") P2=$(wg pubkey <"$D/key2") P3=$(wg pubkey <"$D/key3")

# Both devices as stock wg sees them, without their names and ports (the system chooses a random port for each).
state() { on "$STOCK" show "$1" dump | awk -F'\t' -v OFS='\t' 'NR == 1 && $3 > 30000 { $3 = "random" } { print }'; }

# Without the names of program and device.
plain() { sed "s|$OURS|wg|g; s|$STOCK|wg|g; s/$US/IF/g; s/$THEM/IF/g"; }

# The same words to both: same exit code, same state after; the same message unless told that ours may differ.
same() { # same|other-message WORDS... with IF for the interface
    local messages=$1 our their
    shift
    on "$OURS" "${@/#IF/$US}" >"$D/our" 2>"$D/our.err"
    our=$?
    on "$STOCK" "${@/#IF/$THEM}" >"$D/their" 2>"$D/their.err"
    their=$?
    compared=$((compared + 1))
    [ $our = $their ] || bad "'$*': exit code $our, stock $their ($(<"$D/our.err") / $(<"$D/their.err"))"
    cmp -s <(state $US) <(state $THEM) || {
        bad "'$*': the devices differ"
        diff <(state $US) <(state $THEM)
    }
    if [ "$messages" = same ]; then
        diff <(plain <"$D/our.err") <(plain <"$D/their.err") >"$D/diff" || { bad "'$*': other message"; cat "$D/diff"; }
        diff <(plain <"$D/our") <(plain <"$D/their") >"$D/diff" || { bad "'$*': other output"; cat "$D/diff"; }
    elif [ $our != 0 ] && [ ! -s "$D/our.err" ]; then
        bad "'$*': fails without a word"
    fi
}
# The same device, shown by both.
shown() {
    compared=$((compared + 1))
    on "$OURS" "$@" >"$D/our" 2>"$D/our.err"
    local our=$?
    on "$STOCK" "$@" >"$D/their" 2>"$D/their.err"
    [ $? = $our ] || bad "'$*': exit code $our"
    diff <(plain <"$D/our") <(plain <"$D/their") >"$D/diff" || { bad "'$*': other output (ours <)"; cat "$D/diff"; }
    diff <(plain <"$D/our.err") <(plain <"$D/their.err") >"$D/diff" || { bad "'$*': other message (ours <)"; cat "$D/diff"; }
}
FIELDS="public-key private-key listen-port fwmark peers preshared-keys endpoints allowed-ips latest-handshakes transfer persistent-keepalive dump"
show_everything() {
    local field
    for field in "" $FIELDS; do
        # shellcheck disable=SC2086 # none or one word
        shown show $US $field
    done
    shown showconf $US
    WG_COLOR_MODE=always shown show $US
    WG_HIDE_KEYS=never shown show $US
}

show_everything # an empty device
same same set IF private-key "$D/key1" listen-port 5555 fwmark 0x1234
same same set IF listen-port 0
same same set IF listen-port 5556 fwmark 42
same same set IF fwmark off
same same set IF fwmark 0
same same set IF fwmark 0xffffffff
same same set IF listen-port domain
same same set IF peer "$P2" allowed-ips 10.0.0.0/24,fd00::/64 endpoint 192.0.2.1:51820 persistent-keepalive 25 preshared-key "$D/psk1"
same same set IF peer "$P3"
show_everything
same same set IF peer "$P2" persistent-keepalive off peer "$P3" endpoint '[2001:db8::1]:7' allowed-ips '10.1.0.0/16, fd01::1' persistent-keepalive 65535
same same set IF peer "$P3" allowed-ips 10.0.0.0/24
same same set IF peer "$P2" endpoint '2001:db8::2:99'
same same set IF peer "$P2" endpoint 127.1:1 allowed-ips ''
same same set IF peer "$P2" allowed-ips 10.2.0.0/16 allowed-ips 10.3.0.0/16
same same set IF peer "$P2" allowed-ips 0.0.0.0/0,::/0,10.9.9.9/32,10.8.0.1/08
same same set IF peer "$P3" preshared-key "$D/psk2" persistent-keepalive 1
same same set IF peer "$P3" preshared-key "$D/empty"
same same set IF peer "$P3" preshared-key /dev/null remove
same same set IF private-key "$D/empty"
same same set IF private-key "$D/key2"
show_everything
same other-message set IF peer "$P1" allowed-ips 10.0.0.1/24

# What both refuse. (Ours names the mistake in its own words.)
same same set IF
same same set
same same set IF frobnicate 1
same same set IF listen-port
same same set IF LISTEN-PORT 1
same same set IF peer
same same set IF peer "$P1" remove listen-port 7
for words in "listen-port -1" "listen-port 0x10" "fwmark 0X10" "fwmark -1" "fwmark 0x100000000" "private-key $D/short" \
    "private-key $D/trailing" "private-key $D/nosuch" "peer short" "peer ${P1%?}x" "peer $P1 endpoint nohost" \
    "peer $P1 endpoint [::1" "peer $P1 persistent-keepalive 65536" "peer $P1 persistent-keepalive 25s" \
    "peer $P1 persistent-keepalive -1" "peer $P1 allowed-ips 10.0.0.0/33" "peer $P1 allowed-ips 10/8" \
    "peer $P1 allowed-ips 10.0.0.0/8," "peer $P1 allowed-ips ,10.0.0.0/8" "peer $P1 allowed-ips fd00::/129" \
    "peer $P1 preshared-key $D/short"; do
    # shellcheck disable=SC2086 # words
    same other-message set IF $words
done

# Configurations.
conf() { printf '%b' "$1" >"$D/conf"; }
conf "[Interface]\nPrivateKey = $(<"$D/key3")\nListenPort = 6001\nFwMark = 0x99\n[Peer]\nPublicKey = $P1\nAllowedIPs = 10.5.0.0/16, fd05::/16\nEndpoint = 192.0.2.5:5\nPersistentKeepalive = 5\nPresharedKey = $(<"$D/psk3")\n"
same same setconf IF "$D/conf"
show_everything
conf "[Peer] # another\nPublicKey = $P2\nallowedips=10.6.0.0/16\n"
same same addconf IF "$D/conf"
conf "[Interface]\nPrivateKey = $(<"$D/key3")\nListenPort = 6001\n[Peer]\nPublicKey = $P1\nAllowedIPs = 10.7.0.0/16\n[Peer]\nPublicKey=$P2\n"
# Stock 1.0.20210914 leaves a preshared key and a keepalive that the file no longer has; ours clears them, as later
# versions do.
on "$OURS" syncconf $US "$D/conf" || bad "syncconf"
[ "$(on "$STOCK" show $US preshared-keys | cut -f2 | sort -u)" = "(none)" ] || bad "syncconf keeps a preshared key"
[ "$(on "$STOCK" show $US persistent-keepalive | cut -f2 | sort -u)" = off ] || bad "syncconf keeps a keepalive"
same same setconf IF "$D/conf"
conf "[Interface]\n"
same same syncconf IF "$D/conf"
for text in "[Interface]\nFoo = 1\n" "Foo\n" "[Peer]\nAllowedIPs = 10.0.0.0/8\n" "[Interface]\nListenPort =\n" "[Nonsense]\n" "[Interface]\nAddress = 10.0.0.1\n"; do
    conf "$text"
    same other-message setconf IF "$D/conf"
done
same other-message setconf IF "$D/nosuch"
same same setconf IF
same same showconf

# The rest.
shown show nosuch0
shown show $US frobnicate
shown show a b c
shown show --help
shown help
shown frobnicate
for tool in genkey genpsk pubkey; do shown $tool surplus; done
[ "$(on "$OURS" show interfaces | tr ' ' '\n' | sort)" = "$(on "$STOCK" show interfaces | tr ' ' '\n' | sort)" ] || bad "show interfaces"
all=$(on "$OURS" show all dump | cut -f1 | sort -u | tr '\n' ' ')
[ "$all" = "$US $THEM " ] || bad "show all dump names '$all'"
grep -q "^interface: $US" <(ip netns exec $NS "$OURS") || bad "no words mean show"

# A round trip: what showconf prints, setconf takes, and nothing is lost.
on "$OURS" set $US private-key "$D/key1" fwmark 7 peer "$P2" preshared-key "$D/psk1" endpoint '[fd00::9]:9' allowed-ips 10.0.0.0/8,::/0 persistent-keepalive 9 peer "$P3"
before=$(state $US)
(umask 077; on "$OURS" showconf $US >"$D/conf")
on "$OURS" setconf $US "$D/conf"
[ "$(state $US)" = "$before" ] || bad "showconf and setconf lose something"
echo "$compared comparisons"
exit $failed
