// SPDX-License-Identifier: MIT
// The values in the middle: what a WireGuard device is (WgDevice) and a change to one (DeviceDelta).
// Both transports of common/wgapi and the engine of datapath/wg speak these and nothing else.
// Source: the kernel's uapi header <linux/wireguard.h>, wireguard.com/xplatform.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/time.hpp"
#include "common/model/keys.hpp"

namespace wgd {

// A peer as read from a device.
struct WgPeer {
    PublicKey public_key;
    PresharedKey preshared_key; // zero: none
    std::optional<Endpoint> endpoint;
    std::uint16_t persistent_keepalive = 0; // seconds, 0: off
    WallTime latest_handshake{};            // epoch: never
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
    std::vector<IpPrefix> allowed_ips; // host bits cleared
};

// A device as read. Peers in the order the datapath lists them (the order they were added).
struct WgDevice {
    std::string name;
    std::optional<std::uint32_t> ifindex; // known to the kernel transport only
    PrivateKey private_key;               // zero: none
    PublicKey public_key;                 // zero when there is no private key
    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0; // 0: off
    std::vector<WgPeer> peers;
};

struct AllowedIpDelta {
    IpPrefix prefix;
    bool remove = false; // incremental "-a.b.c.d/n"
};

struct PeerDelta {
    PublicKey public_key;
    bool remove = false;                       // REMOVE_ME; the rest is ignored
    bool update_only = false;                  // do nothing if the peer does not exist
    std::optional<PresharedKey> preshared_key; // zero clears it
    std::optional<Endpoint> endpoint;
    std::optional<std::uint16_t> persistent_keepalive; // 0 turns it off
    bool replace_allowed_ips = false;                  // clear the list before adding
    std::vector<AllowedIpDelta> allowed_ips;           // in order; adding steals from another peer
};

// Absent fields stay as they are. Order of effect: fwmark, listen port, replace_peers, private key, peers.
struct DeviceDelta {
    std::optional<PrivateKey> private_key; // zero clears it
    std::optional<std::uint16_t> listen_port;
    std::optional<std::uint32_t> fwmark; // 0 turns it off
    bool replace_peers = false;
    std::vector<PeerDelta> peers;

    [[nodiscard]] bool empty() const {
        return !private_key && !listen_port && !fwmark && !replace_peers && peers.empty();
    }
};

// What becomes of a device whose datapath acknowledged the change. Costs one pass over its peers at most, and
// else as much as the change. A listen port of 0 (any) stays 0: which one it is only the datapath knows.
void apply(WgDevice& device, const DeviceDelta& delta);

} // namespace wgd
