// SPDX-License-Identifier: MIT
// Bad networks and long times.
#include <catch2/catch.hpp>
#include <malloc.h>
#include <map>

#include "tests/sim/fixtures.hpp"

using namespace wgd;
using namespace wgd::sim;

TEST_CASE("loss, duplication and reordering: nothing twice, nothing foreign, nothing in clear", "[network]") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Pair pair(seed);
        pair.world.weather = {0.2, 0.1, 5ms, 40ms};
        pair.world.eavesdropper.forbid(Bytes{0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a,
                                             0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54});
        std::size_t sent = 0;
        for (int i = 0; i < 3000; ++i) {
            Bytes packet = inner_packet("10.0.0.1", "10.0.0.2", 40 + pair.world.random().next() % 1352);
            store_be<std::uint32_t>(packet.data() + 28, static_cast<std::uint32_t>(i)); // a number of its own
            pair.a.send(packet);
            ++sent;
            if (i % 3 == 0) pair.b_to_a();
            pair.world.run_for(100ms);
        }
        std::map<std::uint32_t, unsigned> times;
        for (const Bytes& packet : pair.b.delivered)
            ++times[load_be<std::uint32_t>(packet.data() + 28)];
        for (const auto& [number, count] : times)
            CHECK(count == 1);
        INFO("seed " << seed << " delivered " << times.size() << " of " << sent);
        CHECK(times.size() > sent * 7 / 10);
        // Sessions were renewed about every two minutes over five, by somewhat more messages than needed.
        CHECK(pair.world.eavesdropper.initiations() < 20);
        CHECK(pair.world.eavesdropper.violations().empty());
    }
}

TEST_CASE("three devices, each with the others, in bad weather: nothing twice, nothing foreign",
          "[network]") {
    World world(3);
    world.weather = {0.1, 0.1, 10ms, 60ms};
    const std::array<Node*, 3> nodes{&world.add("192.0.2.1:51820"), &world.add("192.0.2.2:51820"),
                                     &world.add("[2001:db8::3]:51820")};
    const auto inside = [](std::size_t node) { return "10.0.0." + std::to_string(node + 1); };
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = i + 1; j < 3; ++j)
            world.introduce(*nodes[i], inside(i) + "/32", *nodes[j], inside(j) + "/32");
    world.eavesdropper.forbid(Bytes{0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50});

    constexpr std::uint32_t kPackets =
        6000; // five minutes: sessions are renewed, both sides at once at times
    std::map<std::uint32_t, Bytes> sent;
    for (std::uint32_t number = 0; number < kPackets; ++number) {
        const std::size_t from = world.random().next() % 3;
        const std::size_t to = (from + 1 + world.random().next() % 2) % 3;
        Bytes packet = inner_packet(inside(from), inside(to), 40 + world.random().next() % 400);
        store_be<std::uint32_t>(packet.data() + 28, number); // a number of its own
        nodes[from]->send(packet);
        sent.emplace(number, std::move(packet));
        world.run_for(50ms);
    }
    std::map<std::uint32_t, unsigned> times;
    for (std::size_t node = 0; node < 3; ++node)
        for (const Bytes& packet : nodes[node]->delivered) {
            const std::uint32_t number = load_be<std::uint32_t>(packet.data() + 28);
            ++times[number];
            CHECK(packet[19] == node + 1); // at whom it was for
            REQUIRE(sent.count(number) == 1);
            CHECK(packet == sent.at(number));
        }
    for (const auto& [number, count] : times)
        CHECK(count == 1);
    CHECK(times.size() > kPackets * 8 / 10);
    CHECK(world.eavesdropper.violations().empty());
}

TEST_CASE("three devices talk for a day of protocol time", "[network]") {
    World world(42);
    world.weather = {0.02, 0.01, 20ms, 10ms};
    Node& hub = world.add("192.0.2.1:51820");
    Node& left = world.add("192.0.2.2:51820");
    Node& right = world.add("[2001:db8::3]:51820");
    world.introduce(left, "10.0.0.2/32", hub, "10.0.0.0/24", true, false);
    world.introduce(right, "10.0.0.3/32", hub, "10.0.0.0/24", true, false);
    right.apply(change_peer(hub.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 25; }));

    std::size_t sent = 0, moves = 0;
    const Instant end = world.now().mono + 24h;
    while (world.now().mono < end) {
        // Bursts of talk, then silences from seconds to an hour.
        for (int i = 0; i < 5; ++i) {
            left.send(inner_packet("10.0.0.2", "10.0.0.1", 100));
            hub.send(inner_packet("10.0.0.1", "10.0.0.3", 100));
            sent += 2;
            world.run_for(200ms);
            right.send(inner_packet("10.0.0.3", "10.0.0.1", 1350));
            ++sent;
        }
        if (world.random().next() % 10 == 0) {
            left.move_to(
                Endpoint{IpAddress::v4({203, 0, 113, static_cast<std::uint8_t>(++moves % 250)}), 4242});
        }
        world.run_for(
            std::chrono::seconds(world.random().next() % (world.random().next() % 20 == 0 ? 3600 : 240)));
    }
    const std::size_t got = hub.delivered.size() + right.delivered.size() + left.delivered.size();
    INFO("sent " << sent << " got " << got);
    CHECK(got > sent * 9 / 10);
    CHECK(world.eavesdropper.violations().empty());
    // right keeps its session alive all day: a handshake every two minutes and a bit, not more.
    CHECK(right.engine().counters().handshakes_completed > 24 * 3600 / 150);
    CHECK(right.engine().counters().initiations_sent < 24 * 3600 / 110);
    CHECK(hub.engine().counters().handshakes_completed < 2 * 24 * 3600 / 110);
}

TEST_CASE("ten thousand handshakes leave nothing behind", "[network]") {
    Pair pair;
    pair.connect();
    const auto handshakes = [&] { return pair.b.engine().counters().handshakes_completed; };
    const auto shake_until = [&](std::uint64_t count) {
        while (handshakes() < count) {
            pair.a_to_b();
            pair.world.run_for(wg::kRekeyAfterTime + 1s);
            pair.a.delivered.clear();
            pair.b.delivered.clear();
            pair.world.eavesdropper.forget();
        }
    };
    shake_until(1000);
    const std::size_t before = ::mallinfo2().uordblks;
    shake_until(10'000);
    const std::size_t after = ::mallinfo2().uordblks;
    CAPTURE(before, after);
    CHECK(after <
          before + 32'768); // less than four bytes a handshake; 0 in a sanitizer's build, which looks itself
}
