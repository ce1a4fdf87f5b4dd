// SPDX-License-Identifier: MIT
// A sequence of happenings to two live engines: packets, time, and a network that drops, repeats, changes and
// invents datagrams as the input says. Nothing may be delivered twice or appear in clear, and the tunnel must
// work afterwards.
#include <cstdlib>

#include "tests/sim/fixtures.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 300) return 0;
    sim::Pair pair;
    sim::World& world = pair.world;
    std::vector<sim::Datagram> seen;
    bool drop = false;
    world.middlebox = [&](sim::Datagram& datagram) {
        if (seen.size() < 64) seen.push_back(datagram);
        return !drop;
    };
    std::size_t sent = 0;
    for (std::size_t at = 0; at + 2 < size; at += 3) {
        const std::uint8_t argument = data[at + 1], value = data[at + 2];
        switch (data[at] % 8) {
        case 0:
            pair.a_to_b(argument), ++sent;
            break;
        case 1:
            pair.b_to_a(argument);
            break;
        case 2:
            world.run_for(std::chrono::milliseconds(argument * 10));
            break;
        case 3:
            world.run_for(std::chrono::seconds(argument));
            break;
        case 4:
            drop = argument % 2 == 0;
            break;
        case 5:
        case 6: { // again, changed perhaps, perhaps from elsewhere, perhaps to the wrong side
            if (seen.empty()) break;
            sim::Datagram datagram = seen[argument % seen.size()];
            if (data[at] % 8 == 6)
                datagram.bytes[value % datagram.bytes.size()] ^= static_cast<std::uint8_t>(1 + argument);
            if (value % 4 == 0) datagram.from.port = 9;
            if (value % 16 == 1) std::swap(datagram.from, datagram.to);
            (datagram.to == pair.a.address() ? pair.a : pair.b).receive({datagram});
            break;
        }
        case 7:
            pair.b.handshake_backlog = argument * 4u;
            break;
        }
    }
    pair.b.handshake_backlog = 0;
    drop = false;
    if (pair.b.delivered.size() > sent || !world.eavesdropper.violations().empty()) std::abort();
    // An authentic packet that somebody carried elsewhere may have moved the endpoints; put them back.
    const auto reset = [](sim::Node& node, sim::Node& other) {
        node.apply(sim::change_peer(other.key(), [&](PeerDelta& peer) { peer.endpoint = other.address(); }));
    };
    reset(pair.a, pair.b);
    reset(pair.b, pair.a);
    const std::size_t before = pair.b.delivered.size();
    for (int second = 0; second < 40 && pair.b.delivered.size() == before; ++second) {
        pair.a_to_b();
        world.run_for(std::chrono::seconds(1));
    }
    if (pair.b.delivered.size() == before) std::abort();
    return 0;
}
