# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A name server on the internet, beyond home's default route, which knows one name and tells what it was asked. Needs
# scene.sh and make_world.

NAME=vpn.example.net

names() { # ADDRESS...: what NAME means from now on
    printf '%s vpn.example.net\n' "$@" >"$SCENE/names"
    [ -z "${DNS_PID:-}" ] || kill -HUP "$DNS_PID"
}
start_dns() {
    need_tools dnsmasq
    start internet dns dnsmasq --keep-in-foreground --no-resolv --no-hosts --addn-hosts="$SCENE/names" \
        --local-ttl=2 --no-round-robin --user=root --pid-file= --log-queries --log-facility=- --port=53
    DNS_PID=$STARTED
    wait_for 5 "the name server" on internet bash -c "ss -Hlun 'sport = :53' | grep -q ."
}
stop_dns() {
    stop "$DNS_PID"
    DNS_PID=
}
questions() { grep -c "query\[A\] $NAME" "$SCENE/internet/dns.log" || :; }
asked_again() { [ "$(questions)" -gt "$1" ]; }

# What home had been told by its link.
asks_the_internet() { echo "nameserver $INTERNET_V4" | on home tee /etc/resolv.conf >/dev/null; }
