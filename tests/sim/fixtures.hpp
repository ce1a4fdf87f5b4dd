// SPDX-License-Identifier: MIT
// A pair with a tunnel between them, and short ways to say what tests say often.
#pragma once

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/protocol.hpp"
#include "tests/sim/world.hpp"

namespace wgd::sim {

struct Pair {
    explicit Pair(std::uint64_t seed = 1)
        : world(seed)
        , a(world.add("192.0.2.1:51820"))
        , b(world.add("192.0.2.2:51820")) {
        world.introduce(a, "10.0.0.1/32", b, "10.0.0.2/32");
    }
    // a's handshake, done and confirmed, and its one packet delivered.
    void connect() {
        a_to_b();
        if (!world.run_until([&] { return !b.delivered.empty(); }, 2s)) throw std::logic_error("no session");
        b.delivered.clear();
        world.run_for(10ms);
    }
    void a_to_b(std::size_t payload = 40) { a.send(inner_packet("10.0.0.1", "10.0.0.2", payload)); }
    void b_to_a(std::size_t payload = 40) { b.send(inner_packet("10.0.0.2", "10.0.0.1", payload)); }

    // The other side's Peer in a and in b, for tests that look inside.
    wg::Peer& peer_in_a() {
        return *a.thread().route(Family::kIpv4, IpAddress::parse("10.0.0.2")->bytes().data());
    }
    wg::Peer& peer_in_b() {
        return *b.thread().route(Family::kIpv4, IpAddress::parse("10.0.0.1")->bytes().data());
    }

    World world;
    Node& a;
    Node& b;
};

inline DeviceDelta change_peer(const PublicKey& key, const std::function<void(PeerDelta&)>& change) {
    DeviceDelta delta;
    PeerDelta peer;
    peer.public_key = key;
    change(peer);
    delta.peers.push_back(std::move(peer));
    return delta;
}

} // namespace wgd::sim
