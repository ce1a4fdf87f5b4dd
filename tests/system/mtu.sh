#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The MTU of a tunnel is what the path to its peers leaves over, at up and afterwards: links and routes that change
# are followed, and a number in the profile is left alone.
here=$(dirname "${BASH_SOURCE[0]}")
WGD_SOURCE=${WGD_SOURCE:-$(cd "$here/../.." && pwd)}
. "$here/scene.sh"
. "$here/world.sh"

need_tools wg jq
need_programs wgd wgctl wgd-datapath
enter_scene "$@"

make_world
start_bus home
start_wgd home

profile() { # INTERFACE-LINE
    cat <<EOT
[Interface]
PrivateKey = $HOME_KEY
Address = 10.5.0.2/24
$1
[Peer]
PublicKey = $PEER_PUBLIC
Endpoint = $PEER_V4:$PEER_PORT
AllowedIPs = 10.5.0.0/24
EOT
}
mtu_is() { [ "$(on home cat "/sys/class/net/$1/mtu")" = "$2" ]; }
follows() { # DESCRIPTION MTU
    check "$1: $2" wait_for 20 "the MTU" mtu_is derived "$2"
}

profile "" | write_profile home derived
profile "MTU = 1390" | write_profile home given
check "up" wgctl home up derived
check "up, with an MTU in the profile" wgctl home up given
follows "Ethernet" 1420

on home ip link set eth0 mtu 1400
follows "a link with less" 1320
on home ip route add "$PEER_V4/32" via 192.0.2.1 mtu 1360
follows "a route to the peer with less" 1280
on home ip route del "$PEER_V4/32"
follows "without that route" 1320
on home ip link set derived mtu 1000
follows "somebody changes the tunnel's own" 1320
on home ip link set eth0 mtu 1500
follows "back to Ethernet" 1420
check "the profile's number stays" mtu_is given 1390
check "the log tells" grep -q 'derived.*MTU' "$SCENE/home/wgd.log"
check "down" wgctl home down derived
check "down" wgctl home down given
finish
