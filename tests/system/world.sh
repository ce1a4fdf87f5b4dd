# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# The world that most scenes play in: a home machine, its provider, and a host on the internet behind it.
# Sourced by scene.sh.
#
#   home                         provider                            internet
#   eth0 192.0.2.2      ------  eth0 192.0.2.1   eth1 198.51.100.1 ------ eth0 198.51.100.10
#        2001:db8:1::2               2001:db8:1::1    2001:db8:2::1            2001:db8:2::10
#                               lo   203.0.113.1, 2001:db8:3::1   (the tunnel's far end listens here)
#                               wgpeer 10.5.0.1, fd05::1          (a stock WireGuard peer)
#
# The provider forwards for everybody: without a tunnel, home reaches the internet in clear. A packet that leaks
# would arrive, so that its absence means something.

HOME_V4=192.0.2.2 HOME_V6=2001:db8:1::2
PEER_V4=203.0.113.1 PEER_V6=2001:db8:3::1 PEER_PORT=51820
INTERNET_V4=198.51.100.10 INTERNET_V6=2001:db8:2::10
TUNNEL_V4=10.5.0.2 TUNNEL_V6=fd05::2

make_world() {
    machine home
    machine provider
    machine internet
    cable home eth0 provider eth0
    cable provider eth1 internet eth0
    on home bash -euc "
        ip address add $HOME_V4/24 dev eth0
        ip address add $HOME_V6/64 dev eth0 nodad
        ip route add default via 192.0.2.1
        ip route add default via 2001:db8:1::1"
    on provider bash -euc "
        echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip address add 192.0.2.1/24 dev eth0
        ip address add 2001:db8:1::1/64 dev eth0 nodad
        ip address add 198.51.100.1/24 dev eth1
        ip address add 2001:db8:2::1/64 dev eth1 nodad
        ip address add $PEER_V4/32 dev lo
        ip address add $PEER_V6/128 dev lo nodad"
    on internet bash -euc "
        ip address add $INTERNET_V4/24 dev eth0
        ip address add $INTERNET_V6/64 dev eth0 nodad
        ip route add default via 198.51.100.1
        ip route add default via 2001:db8:2::1"
    make_keys
}

make_keys() {
    umask 077
    HOME_KEY=$(wg genkey)
    PEER_KEY=$(wg genkey)
    PSK=$(wg genpsk)
    HOME_PUBLIC=$(wg pubkey <<<"$HOME_KEY")
    PEER_PUBLIC=$(wg pubkey <<<"$PEER_KEY")
    umask 022
}

# A stock peer on a machine: Debian's wireguard-go, or with WGD_STOCK_PEER=kernel the kernel's WireGuard; configured
# with `wg`.
stock_peer() { # MACHINE LINK CONFIG (wg(8) syntax, on stdin)
    if [ "${WGD_STOCK_PEER:-}" = kernel ]; then
        on "$1" ip link add "$2" type wireguard || abort "this kernel has no WireGuard"
        configure_stock_peer "$1" "$2"
        return
    fi
    start "$1" "$2" env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=verbose wireguard-go --foreground "$2"
    STOCK_PEER_PID=$STARTED
    wait_for 10 "wireguard-go" on "$1" wg show "$2" || {
        cat "$SCENE/$1/$2.log"
        abort "wireguard-go does not start"
    }
    configure_stock_peer "$1" "$2"
}

configure_stock_peer() { # MACHINE LINK
    cat >"$SCENE/$1/$2.conf"
    on "$1" wg setconf "$2" "$SCENE/$1/$2.conf" || abort "the stock peer refused its configuration"
    on "$1" ip link set "$2" up
}

# The provider's end of the tunnel that full_tunnel_profile describes.
provider_peer() {
    stock_peer provider wgpeer <<EOT
[Interface]
PrivateKey = $PEER_KEY
ListenPort = $PEER_PORT
[Peer]
PublicKey = $HOME_PUBLIC
PresharedKey = $PSK
AllowedIPs = $TUNNEL_V4/32, $TUNNEL_V6/128
EOT
    on provider ip address add 10.5.0.1/24 dev wgpeer
    on provider ip address add fd05::1/64 dev wgpeer nodad
}

# What a VPN provider sends its customers.
full_tunnel_profile() { # ENDPOINT
    cat <<EOT
[Interface]
PrivateKey = $HOME_KEY
Address = $TUNNEL_V4/32, $TUNNEL_V6/128
DNS = 10.5.0.1, fd05::1

[Peer]
# friendly_name = provider
PublicKey = $PEER_PUBLIC
PresharedKey = $PSK
Endpoint = $1
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 25
EOT
}

# Writes a profile as an administrator would: root's, mode 0600.
write_profile() { # MACHINE NAME (text on stdin)
    (umask 077 && cat >"$SCENE/profile.tmp")
    on "$1" install -m 0600 "$SCENE/profile.tmp" "/etc/wireguard/$2.conf"
    rm -f "$SCENE/profile.tmp"
}

# ---- wgd on a machine -------------------------------------------------------------------------------------------

# Debian's own system bus configuration with our policy added, on the machine's own socket.
start_bus() { # MACHINE
    need_tools dbus-daemon dbus-send
    on "$1" install -D -m 0644 "$WGD_SOURCE/dbus/org.wgd1.conf" /etc/dbus-1/system.d/org.wgd1.conf
    on "$1" dbus-uuidgen --ensure=/etc/machine-id
    start "$1" bus dbus-daemon --system --nofork --nopidfile
    BUS_PID=$STARTED
    wait_for 10 "the bus" on "$1" dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.GetId || {
        cat "$SCENE/$1/bus.log"
        abort "the bus of machine $1 does not start"
    }
}

wgd_up_or_dead() { # MACHINE
    wgd_has_name "$1" || ! kill -0 "$WGD_PID"
}

wgd_has_name() { # MACHINE
    on "$1" dbus-send --system --print-reply=literal --dest=org.freedesktop.DBus / \
        org.freedesktop.DBus.NameHasOwner string:org.wgd1 | grep 'boolean true' >/dev/null
}

# Starts wgd and waits until it has taken its name, which it does after recovery. Extra words: environment.
start_wgd() { # MACHINE [VARIABLE=VALUE...]
    local machine=$1
    shift
    [ -e "$SCENE/$machine/wgd.toml" ] || : >"$SCENE/$machine/wgd.toml"
    start "$machine" wgd env "$@" "$BIN/wgd" --config "$SCENE/$machine/wgd.toml" --runtime-dir /run/wgd
    WGD_PID=$STARTED
    LOGS_OF_INTEREST=("$SCENE/$machine/wgd.log")
    wait_for 15 "wgd's name on the bus" wgd_up_or_dead "$machine"
    wgd_has_name "$machine" || abort "wgd does not start on machine $machine"
}

wgctl() { # MACHINE ARGUMENTS...
    local machine=$1
    shift
    on "$machine" "$BIN/wgctl" "$@"
}
