// SPDX-License-Identifier: MIT
// A change applied to the value of a device: what a datapath makes of it (<linux/wireguard.h>).
#include <catch2/catch.hpp>

#include "common/model/device.hpp"

using namespace wgd;

namespace {

PublicKey key(std::uint8_t byte) {
    std::array<std::uint8_t, kKeySize> bytes{};
    bytes.fill(byte);
    return PublicKey(bytes);
}

IpPrefix net(const char* text) {
    return *IpPrefix::parse(text);
}

WgDevice device() {
    WgDevice device;
    for (std::uint8_t i = 1; i <= 3; ++i) {
        WgPeer& peer = device.peers.emplace_back();
        peer.public_key = key(i);
        peer.rx_bytes = i;
        peer.allowed_ips = {*IpPrefix::parse("10.0." + std::to_string(i) + ".0/24")};
    }
    return device;
}

PeerDelta& change(DeviceDelta& delta, std::uint8_t peer) {
    PeerDelta& change = delta.peers.emplace_back();
    change.public_key = key(peer);
    return change;
}

} // namespace

TEST_CASE("apply: what is absent stays as it is") {
    WgDevice changed = device();
    DeviceDelta delta;
    delta.fwmark = 7;
    change(delta, 2).persistent_keepalive = 25;
    apply(changed, delta);
    CHECK(changed.fwmark == 7);
    REQUIRE(changed.peers.size() == 3);
    CHECK(changed.peers[1].persistent_keepalive == 25);
    CHECK(changed.peers[1].rx_bytes == 2);
    CHECK(changed.peers[1].allowed_ips == device().peers[1].allowed_ips);
}

TEST_CASE("apply: an allowed IP has one owner, the last who asks") {
    WgDevice changed = device();
    DeviceDelta delta;
    change(delta, 2).allowed_ips = {{net("10.0.1.0/24"), false}, {net("10.9.0.1/32"), false}};
    PeerDelta& third = change(delta, 3);
    third.replace_allowed_ips = true;
    third.allowed_ips = {{net("10.0.1.77/24"), false},
                         {net("10.0.1.0/24"), false}}; // the same, host bits set
    apply(changed, delta);
    CHECK(changed.peers[0].allowed_ips.empty());
    CHECK(changed.peers[1].allowed_ips == std::vector<IpPrefix>{net("10.0.2.0/24"), net("10.9.0.1/32")});
    CHECK(changed.peers[2].allowed_ips == std::vector<IpPrefix>{net("10.0.1.0/24")});

    DeviceDelta removal;
    change(removal, 2).allowed_ips = {{net("10.9.0.1/32"), true}, {net("10.0.1.0/24"), true}};
    apply(changed, removal);
    CHECK(changed.peers[1].allowed_ips == std::vector<IpPrefix>{net("10.0.2.0/24")});
    CHECK(changed.peers[2].allowed_ips ==
          std::vector<IpPrefix>{net("10.0.1.0/24")}); // another's is not taken
}

TEST_CASE("apply: peers go, come at the end, and come back new") {
    WgDevice changed = device();
    DeviceDelta delta;
    change(delta, 1).remove = true;
    change(delta, 1).allowed_ips = {{net("10.0.1.0/24"), false}};
    change(delta, 2).remove = true;
    change(delta, 4).update_only = true;
    change(delta, 5).allowed_ips = {{net("10.0.2.0/24"), false}};
    apply(changed, delta);
    REQUIRE(changed.peers.size() == 3);
    CHECK(changed.peers[0].public_key == key(3));
    CHECK(changed.peers[1].public_key == key(1));
    CHECK(changed.peers[1].rx_bytes == 0);
    CHECK(changed.peers[1].allowed_ips == std::vector<IpPrefix>{net("10.0.1.0/24")});
    CHECK(changed.peers[2].public_key == key(5));
    CHECK(changed.peers[2].allowed_ips == std::vector<IpPrefix>{net("10.0.2.0/24")});
}

TEST_CASE("apply: nobody is his own peer") {
    WgDevice changed = device();
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(77);
    DeviceDelta delta;
    delta.private_key = clamp_private_key(bytes);
    changed.peers[1].public_key = derive_public_key(*delta.private_key);
    const PublicKey own = changed.peers[1].public_key;
    PeerDelta& again = delta.peers.emplace_back();
    again.public_key = own;
    apply(changed, delta);
    CHECK(changed.public_key == own);
    REQUIRE(changed.peers.size() == 2);
    CHECK(changed.peers[1].public_key == key(3));

    DeviceDelta none;
    none.replace_peers = true;
    none.private_key = PrivateKey{};
    apply(changed, none);
    CHECK(changed.peers.empty());
    CHECK(changed.public_key.is_zero());
}
