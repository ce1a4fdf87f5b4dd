// SPDX-License-Identifier: MIT
// DeviceDelta in, WgDevice out: the semantics of the UAPI and of the kernel's netlink family.
#include <catch2/catch.hpp>

#include "common/model/limits.hpp"
#include "tests/sim/fixtures.hpp"

using namespace wgd;
using namespace wgd::sim;

namespace {

PublicKey key(std::uint32_t number) {
    std::array<std::uint8_t, 32> bytes{};
    bytes[31] = 9;
    store_le<std::uint32_t>(bytes.data(), number);
    return PublicKey(bytes);
}

PeerDelta peer(std::uint32_t number, std::initializer_list<const char*> allowed = {}) {
    PeerDelta delta;
    delta.public_key = key(number);
    for (const char* text : allowed)
        delta.allowed_ips.push_back({IpPrefix::parse(text).value()});
    return delta;
}

template <class... Peers>
DeviceDelta with(Peers... peers) {
    DeviceDelta delta;
    (delta.peers.push_back(std::move(peers)), ...);
    return delta;
}

std::vector<std::string> allowed(Node& node, std::uint32_t number) {
    std::vector<std::string> all;
    for (const IpPrefix& prefix : node.peer(key(number)).allowed_ips)
        all.push_back(prefix.to_string());
    return all;
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("absent fields stay, present ones change", "[configuration]") {
    World world;
    Node& node = world.add("192.0.2.1:1");
    PeerDelta full = peer(1, {"10.0.0.1/32"});
    full.endpoint = Endpoint::parse("[fe80::1%3]:7");
    full.persistent_keepalive = 25;
    PresharedKey psk;
    psk.expose_mut()[0] = 1;
    full.preshared_key = psk.clone();
    DeviceDelta delta = with(std::move(full));
    delta.listen_port = 51820;
    delta.fwmark = 7;
    node.apply(std::move(delta));
    node.apply(with(peer(1)));
    const WgDevice device = node.engine().snapshot();
    CHECK(device.listen_port == 51820);
    CHECK(device.fwmark == 7);
    CHECK(device.public_key == node.key());
    REQUIRE(device.peers.size() == 1);
    CHECK(device.peers[0].endpoint == Endpoint::parse("[fe80::1%3]:7"));
    CHECK(device.peers[0].persistent_keepalive == 25);
    CHECK(device.peers[0].preshared_key == psk);
    CHECK(allowed(node, 1) == Strings{"10.0.0.1/32"});

    PeerDelta clear = peer(1);
    clear.preshared_key = PresharedKey{};
    clear.persistent_keepalive = 0;
    clear.replace_allowed_ips = true;
    node.apply(with(std::move(clear)));
    CHECK(node.peer(key(1)).preshared_key.is_zero());
    CHECK(node.peer(key(1)).persistent_keepalive == 0);
    CHECK(allowed(node, 1).empty());
    CHECK(node.peer(key(1)).endpoint); // cannot be cleared
}

TEST_CASE("remove, update_only, replace_peers", "[configuration]") {
    World world;
    Node& node = world.add("192.0.2.1:1");
    node.apply(with(peer(1, {"10.0.0.1/32"}), peer(2), peer(3)));
    PeerDelta ghost = peer(4, {"10.0.0.4/32"});
    ghost.update_only = true;
    PeerDelta gone = peer(2);
    gone.remove = true;
    PeerDelta never = peer(5);
    never.remove = true;
    PeerDelta update = peer(3, {"10.0.0.3/32"});
    update.update_only = true;
    node.apply(with(std::move(ghost), std::move(gone), std::move(never), std::move(update)));
    auto device = node.engine().snapshot();
    REQUIRE(device.peers.size() == 2);
    CHECK(device.peers[0].public_key == key(1));
    CHECK(device.peers[1].public_key == key(3));
    CHECK(allowed(node, 3) == Strings{"10.0.0.3/32"});

    DeviceDelta replace = with(peer(9), peer(1));
    replace.replace_peers = true;
    node.apply(std::move(replace));
    device = node.engine().snapshot();
    REQUIRE(device.peers.size() == 2);
    CHECK(device.peers[0].public_key == key(9));
    CHECK(device.peers[1].public_key == key(1));
    CHECK(allowed(node, 1).empty()); // it is another peer of the same name
}

TEST_CASE("allowed IPs: stealing, replacing, removing one by one", "[configuration]") {
    World world;
    Node& node = world.add("192.0.2.1:1");
    node.apply(with(peer(1, {"10.0.0.0/24", "10.0.1.0/24", "fd00::/64"}), peer(2, {"10.0.1.7/24"})));
    CHECK(allowed(node, 1) == Strings{"10.0.0.0/24", "fd00::/64"});
    CHECK(allowed(node, 2) == Strings{"10.0.1.0/24"});

    PeerDelta incremental = peer(1, {"10.0.5.0/24"});
    incremental.allowed_ips.push_back({IpPrefix::parse("10.0.0.0/24").value(), true});
    incremental.allowed_ips.push_back({IpPrefix::parse("10.0.1.0/24").value(), true}); // is 2's
    node.apply(with(std::move(incremental)));
    CHECK(allowed(node, 1) == Strings{"10.0.5.0/24", "fd00::/64"});
    CHECK(allowed(node, 2) == Strings{"10.0.1.0/24"});

    PeerDelta both = peer(2, {"10.0.8.0/24", "10.0.9.0/24"});
    both.replace_allowed_ips = true;
    both.allowed_ips.push_back({IpPrefix::parse("10.0.8.0/24").value(), true});
    node.apply(with(std::move(both)));
    CHECK(allowed(node, 2) == Strings{"10.0.9.0/24"});
}

TEST_CASE("oneself is nobody's peer, in either order", "[configuration]") {
    World world;
    Node& node = world.add("192.0.2.1:1");
    PeerDelta self;
    self.public_key = node.key();
    node.apply(with(std::move(self)));
    CHECK(node.engine().snapshot().peers.empty());

    Node& other = world.add("192.0.2.2:1");
    PeerDelta later;
    later.public_key = node.key();
    other.apply(with(std::move(later), peer(3)));
    CHECK(other.engine().snapshot().peers.size() == 2);
    DeviceDelta become;
    become.private_key = node.private_key();
    other.apply(std::move(become));
    CHECK(other.engine().snapshot().peers.size() == 1);
}

TEST_CASE("bug: a configuration is applied whole or not at all", "[configuration][bugs]") {
    World world;
    Node& node = world.add("192.0.2.1:1");
    DeviceDelta first;
    first.peers.reserve(kMaxPeers);
    for (std::uint32_t i = 0; i < kMaxPeers; ++i)
        first.peers.push_back(peer(i));
    node.apply(std::move(first));
    CHECK(node.engine().snapshot().peers.size() == kMaxPeers);

    wg::Outbox out;
    DeviceDelta more = with(peer(0, {"10.0.0.1/32"}), peer(kMaxPeers));
    more.listen_port = 5;
    more.fwmark = 6;
    const auto refused = node.engine().apply(std::move(more), world.now(), out);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kInvalidArgument);
    CHECK(node.engine().snapshot().listen_port == 0);
    CHECK(node.engine().snapshot().fwmark == 0);
    CHECK(allowed(node, 0).empty());

    // One out, one in, is within the limit; and so is the whole again.
    PeerDelta gone = peer(7);
    gone.remove = true;
    node.apply(with(std::move(gone), peer(kMaxPeers), peer(0, {"10.0.0.1/32"})));
    CHECK(node.engine().snapshot().peers.size() == kMaxPeers);
    CHECK(allowed(node, 0) == Strings{"10.0.0.1/32"});
}

TEST_CASE("bug: an unchanged endpoint keeps session and source; a removed peer takes its session along",
          "[configuration][bugs]") {
    Pair pair;
    pair.connect();
    pair.b_to_a();
    pair.world.run_for(100ms);
    const auto path = pair.peer_in_a().path.load();
    REQUIRE(path);
    pair.a.apply(change_peer(pair.b.key(), [&](PeerDelta& delta) {
        delta.endpoint = pair.b.address();
        delta.replace_allowed_ips = true;
        delta.allowed_ips.push_back({IpPrefix::parse("10.0.0.2/32").value()});
    }));
    CHECK(pair.peer_in_a().path.load() == path);
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.delivered.size() == 1);
    CHECK(pair.a.engine().counters().initiations_sent == 1);

    DeviceDelta same; // as wg(8) says it every time
    same.fwmark = 0;
    pair.a.apply(std::move(same));
    CHECK(pair.peer_in_a().path.load() == path);
    DeviceDelta mark;
    mark.fwmark = 5; // another mark, perhaps another route
    pair.a.apply(std::move(mark));
    CHECK(pair.peer_in_a().path.load()->local.is_unspecified());

    pair.b.apply(change_peer(pair.a.key(), [](PeerDelta& delta) { delta.remove = true; }));
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.delivered.size() == 1);
    CHECK(pair.b.dropped.back() == wg::Drop::kUnknownSession);
}

TEST_CASE("bug: what waited for a private key or an endpoint goes out when it is there",
          "[configuration][bugs]") {
    Pair pair;
    World& world = pair.world;
    const auto set_key = [&](PrivateKey private_key) {
        DeviceDelta delta;
        delta.private_key = std::move(private_key);
        pair.a.apply(std::move(delta));
    };
    SECTION("a packet, for the first key") {
        set_key(PrivateKey{});
        pair.a_to_b();
        world.run_for(3s);
        CHECK(world.eavesdropper.initiations() == 0);
        set_key(pair.a.private_key());
        world.run_for(100ms);
        CHECK(pair.b.delivered.size() == 1);
    }
    SECTION("a persistent keepalive, for the first key") {
        set_key(PrivateKey{});
        pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& delta) { delta.persistent_keepalive = 25; }));
        world.run_for(60s);
        CHECK(world.eavesdropper.initiations() == 0);
        set_key(pair.a.private_key());
        world.run_for(100ms);
        CHECK(pair.a.engine().counters().handshakes_completed == 1);
    }
    SECTION("a persistent keepalive, for an endpoint") {
        Node& c = world.add("192.0.2.3:51820");
        world.introduce(c, "10.0.0.3/32", pair.b, "10.0.0.2/32", false, true);
        c.apply(change_peer(pair.b.key(), [](PeerDelta& delta) { delta.persistent_keepalive = 25; }));
        world.run_for(60s);
        CHECK(world.eavesdropper.initiations() == 0);
        c.apply(change_peer(pair.b.key(), [&](PeerDelta& delta) { delta.endpoint = pair.b.address(); }));
        world.run_for(100ms);
        CHECK(c.engine().counters().handshakes_completed == 1);
        const std::uint64_t sent = c.peer(pair.b.key()).tx_bytes;
        world.run_for(51s);
        CHECK(c.peer(pair.b.key()).tx_bytes == sent + 2 * 32);
    }
    CHECK(world.eavesdropper.violations().empty());
}

TEST_CASE("bug: a peer that is removed in the middle of its handshake leaves nothing to be answered",
          "[configuration][bugs]") {
    Pair pair;
    std::vector<Datagram> responses;
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 2) responses.push_back(datagram);
        return datagram.bytes[0] != 2;
    };
    pair.a_to_b();
    pair.world.run_for(100ms);
    REQUIRE(responses.size() == 1);
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& delta) { delta.remove = true; }));
    pair.world.eavesdropper.reset_counts();
    const std::uint64_t refused = pair.a.engine().counters().handshake_messages_refused;
    pair.a.receive({responses[0]});
    pair.world.run_for(200s);
    CHECK(pair.a.engine().counters().handshake_messages_refused == refused + 1);
    CHECK(pair.a.engine().counters().handshakes_completed == 0);
    CHECK(pair.world.eavesdropper.initiations() == 0);
    CHECK(pair.world.eavesdropper.transports() == 0);
}

TEST_CASE("bug: an MTU of zero ends nobody", "[configuration][bugs]") {
    Pair pair;
    pair.connect();
    for (unsigned mtu : {0U, 1U, 68U, 65535U}) {
        pair.b.delivered.clear();
        pair.a.engine().set_mtu(mtu);
        for (std::size_t payload : {0U, 1U, 39U, 40U, 41U, 1300U})
            pair.a_to_b(payload);
        pair.world.run_for(100ms);
        CHECK(pair.b.delivered.size() == 6);
    }
}
