// SPDX-License-Identifier: MIT
// Two engines, a handshake, data: the ordinary life of a session.
#include <catch2/catch.hpp>

#include "tests/sim/world.hpp"

using namespace wgd;
using namespace wgd::sim;

TEST_CASE("the first packet brings up a session and arrives through it", "[sim]") {
    World world;
    Node& a = world.add("192.0.2.1:51820");
    Node& b = world.add("192.0.2.2:51820");
    world.introduce(a, "10.0.0.1/32,fd00::1/128", b, "10.0.0.2/32,fd00::2/128");

    const Bytes ping = inner_packet("10.0.0.1", "10.0.0.2", 64);
    const Bytes ping6 = inner_packet("fd00::1", "fd00::2", 100);
    world.eavesdropper.forbid(Bytes(ping.begin() + 28, ping.end()));
    a.send(ping);
    a.send(ping6);
    world.run_for(1s);
    REQUIRE(b.delivered == std::vector<Bytes>{ping, ping6});
    CHECK(world.eavesdropper.initiations() == 1);
    CHECK(world.eavesdropper.responses() == 1);

    const Bytes pong = inner_packet("10.0.0.2", "10.0.0.1", 64);
    b.send(pong);
    world.run_for(1s);
    REQUIRE(a.delivered == std::vector<Bytes>{pong});
    CHECK(world.eavesdropper.initiations() == 1);

    CHECK(a.peer(b.key()).latest_handshake.time_since_epoch() > 0s);
    CHECK(b.peer(a.key()).latest_handshake.time_since_epoch() > 0s);
    CHECK(a.peer(b.key()).tx_bytes == b.peer(a.key()).rx_bytes);
    CHECK(a.peer(b.key()).rx_bytes == b.peer(a.key()).tx_bytes);
    CHECK(world.eavesdropper.violations().empty());
}
