// SPDX-License-Identifier: MIT
// What strangers, broken peers and the network try. Tests marked "bug" hold what other implementations once
// got wrong.
#include <catch2/catch.hpp>

#include "tests/sim/fixtures.hpp"

using namespace wgd;
using namespace wgd::sim;

namespace {

const Endpoint kElsewhere = Endpoint::parse("198.51.100.7:7777").value();

// Seals `plaintext` in the session of `keypair` as its owner could.
Bytes seal_as(wg::Keypair& keypair, std::uint64_t counter, ByteView plaintext) {
    Bytes datagram(32 + plaintext.size());
    datagram[0] = 4;
    store_le<std::uint32_t>(datagram.data() + 4, keypair.remote_index);
    store_le<std::uint64_t>(datagram.data() + 8, counter);
    crypto::aead_seal(ByteSpan(datagram).subspan(16),
                      std::span<const std::uint8_t, 32>(keypair.sending_key.data(), 32), counter, plaintext,
                      {});
    return datagram;
}

} // namespace

TEST_CASE("an authentic packet from a new address moves the endpoint; the answer goes there", "[roaming]") {
    Pair pair;
    pair.connect();
    pair.a.move_to(kElsewhere);
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.peer(pair.a.key()).endpoint == kElsewhere);
    pair.b_to_a();
    pair.world.run_for(100ms);
    CHECK(pair.a.delivered.size() == 1);

    SECTION("also from IPv4 to IPv6") {
        const Endpoint v6 = Endpoint::parse("[2001:db8::7]:7").value();
        pair.a.move_to(v6);
        pair.a_to_b();
        pair.world.run_for(100ms);
        pair.b_to_a();
        pair.world.run_for(100ms);
        CHECK(pair.a.delivered.size() == 2);
    }
    SECTION("an authentic keepalive moves it as well") {
        const Endpoint other = Endpoint::parse("203.0.113.1:1").value();
        pair.a.move_to(other);
        pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 9; }));
        pair.world.run_for(100ms);
        CHECK(pair.b.peer(pair.a.key()).endpoint == other);
    }
}

TEST_CASE("forged and replayed packets do not move the endpoint", "[roaming]") {
    Pair pair;
    pair.connect();
    std::vector<Datagram> seen;
    pair.world.middlebox = [&](Datagram& datagram) {
        seen.push_back(datagram);
        return true;
    };
    pair.a_to_b();
    pair.world.run_for(100ms);
    REQUIRE(seen.size() == 1);
    Datagram replay = seen[0];
    replay.from = kElsewhere;
    Datagram forged = replay;
    store_le<std::uint64_t>(forged.bytes.data() + 8, 5000);
    pair.b.dropped.clear();
    pair.b.receive({replay, forged});
    CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kReplayed, wg::Drop::kForged});
    CHECK(pair.b.peer(pair.a.key()).endpoint == pair.a.address());
}

TEST_CASE("bug: a forged counter must not move the replay window", "[bugs]") {
    Pair pair;
    pair.connect();
    Bytes forged(64, 0);
    forged[0] = 4;
    store_le<std::uint32_t>(forged.data() + 4, pair.peer_in_b().current.load()->local_index);
    store_le<std::uint64_t>(forged.data() + 8, 1u << 30);
    pair.b.receive({{kElsewhere, pair.b.address(), forged}});
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("every packet of a session is delivered at most once", "[replay]") {
    Pair pair;
    pair.connect();
    std::vector<Datagram> seen;
    pair.world.middlebox = [&](Datagram& datagram) {
        seen.push_back(datagram);
        return true;
    };
    for (int i = 0; i < 50; ++i)
        pair.a_to_b();
    pair.world.run_for(100ms);
    REQUIRE(pair.b.delivered.size() == 50);
    pair.b.receive(seen);
    pair.b.receive(seen);
    CHECK(pair.b.delivered.size() == 50);
}

TEST_CASE("an initiation is accepted once, and only in order of its timestamps", "[handshake]") {
    Pair pair;
    std::vector<Datagram> initiations;
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 1) {
            initiations.push_back(datagram);
            return false;
        }
        return true;
    };
    pair.a_to_b();
    pair.world.run_for(7s);
    REQUIRE(initiations.size() == 2);
    pair.world.middlebox = [](Datagram&) { return false; };
    pair.b.receive({initiations[1]});
    CHECK(pair.b.engine().counters().initiations_received == 1);
    pair.world.run_for(1s);
    pair.b.receive({initiations[1]});
    pair.b.receive({initiations[0]});
    CHECK(pair.b.engine().counters().initiations_received == 1);
}

TEST_CASE("a peer's initiations are taken at most every 20 ms", "[handshake]") {
    Pair pair;
    // Two honest engines with the same key (a cloned machine) initiate at the same moment.
    std::vector<Datagram> initiations;
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 1) initiations.push_back(datagram);
        return false;
    };
    pair.a_to_b();
    pair.world.run_for(12s);
    REQUIRE(initiations.size() >= 3);
    pair.b.receive({initiations[0]});
    pair.b.receive({initiations[1]});
    CHECK(pair.b.engine().counters().initiations_received == 1);
    pair.world.run_for(20ms);
    pair.b.receive({initiations[1]});
    CHECK(pair.b.engine().counters().initiations_received == 2);
}

TEST_CASE("under load a stranger gets a cookie and an honest peer gets in with it", "[cookie]") {
    Pair pair;
    pair.b.handshake_backlog = 1000;
    // The first message notices the load and still passes; from then on cookies are wanted.
    Node& c = pair.world.add("192.0.2.9:51820");
    pair.world.introduce(c, "10.0.0.9/32", pair.b, "10.0.0.2/32", true, false);
    c.send(inner_packet("10.0.0.9", "10.0.0.2", 20));
    pair.world.run_for(2ms);

    pair.a_to_b();
    pair.world.run_for(500ms);
    CHECK(pair.world.eavesdropper.cookie_replies() == 1);
    CHECK(pair.a.engine().counters().cookie_replies_received == 1);
    CHECK(pair.b.delivered.size() == 1); // c's
    // The retransmission carries the cookie. Load is refreshed meanwhile.
    pair.world.run_for(4400ms);
    c.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 1; }));
    Bytes noise(148);
    noise[0] = 1;
    wg::CookieKeeper keeper;
    keeper.add_macs(noise, pair.b.key(), pair.world.now().mono);
    pair.b.receive({{kElsewhere, pair.b.address(), noise}}); // keeps the load up
    CHECK(pair.world.run_until([&] { return pair.b.delivered.size() == 2; }, 1s));
    CHECK(pair.a.engine().counters().initiations_sent == 2);
}

TEST_CASE("bug: a cookie reply must not move the endpoint", "[bugs]") {
    Pair pair;
    pair.b.handshake_backlog = 1000;
    Bytes noise(148);
    noise[0] = 1;
    wg::CookieKeeper keeper;
    keeper.add_macs(noise, pair.b.key(), pair.world.now().mono);
    pair.b.receive({{kElsewhere, pair.b.address(), noise}}); // b is under load now
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 3) datagram.from = kElsewhere; // genuine, by another way
        return true;
    };
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.a.engine().counters().cookie_replies_received == 1);
    CHECK(pair.a.peer(pair.b.key()).endpoint == pair.b.address());
}

TEST_CASE("cookie replies that answer nothing, or are forged, are refused", "[cookie]") {
    Pair pair;
    pair.b.handshake_backlog = 1000;
    std::vector<Datagram> replies;
    Bytes initiation;
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 3) replies.push_back(datagram);
        if (datagram.bytes[0] == 1) initiation = datagram.bytes;
        return datagram.bytes[0] != 3 && datagram.bytes[0] != 2;
    };
    pair.a_to_b();
    pair.world.run_for(
        6s); // the first notices the load; the second, within its hold, is answered by a cookie?
    pair.b.receive({{pair.a.address(), pair.b.address(), initiation}});
    pair.b.receive({{pair.a.address(), pair.b.address(), initiation}});
    REQUIRE_FALSE(replies.empty());
    Datagram reply = replies.back();
    Datagram forged = reply;
    forged.bytes[40] ^= 1;
    pair.a.receive({forged});
    CHECK(pair.a.engine().counters().cookie_replies_received == 0);
    pair.a.receive({reply});
    CHECK(pair.a.engine().counters().cookie_replies_received == 1);
    pair.a.receive({reply});
    CHECK(pair.a.engine().counters().cookie_replies_received == 1);
}

TEST_CASE("a flood of forged initiations does not stop a session, nor an honest newcomer", "[cookie]") {
    Pair pair;
    pair.connect();
    Node& c = pair.world.add("192.0.2.9:51820");
    pair.world.introduce(c, "10.0.0.9/32", pair.b, "10.0.0.2/32", true, false);
    std::size_t flood = 0;
    const auto attack = [&] {
        Bytes noise(148);
        pair.world.random().fill(noise);
        store_le<std::uint32_t>(noise.data(), 1);
        wg::CookieKeeper keeper;
        keeper.add_macs(noise, pair.b.key(), pair.world.now().mono);
        const auto source = static_cast<std::uint32_t>(flood * 2654435761u);
        const Endpoint from{
            IpAddress::v4({100, static_cast<std::uint8_t>(source >> 16),
                           static_cast<std::uint8_t>(source >> 8), static_cast<std::uint8_t>(source)}),
            static_cast<std::uint16_t>(1024 + flood % 60000)};
        pair.b.receive({{from, pair.b.address(), noise}});
        ++flood;
    };
    pair.b.handshake_backlog = 500; // the queue is never empty
    std::size_t sent = 0;
    c.send(inner_packet("10.0.0.9", "10.0.0.2", 20));
    for (int step = 0; step < 800; ++step) {
        for (int i = 0; i < 5; ++i)
            attack();
        pair.a_to_b();
        ++sent;
        pair.world.run_for(10ms);
    }
    CHECK(pair.b.delivered.size() == sent + 1); // all of the session's, and the newcomer's
    CHECK(pair.b.engine().counters().cookie_replies_sent >= flood - 2);
    CHECK(c.engine().counters().handshakes_completed == 1);
    CHECK(c.engine().counters().cookie_replies_received >= 1);
}

TEST_CASE("inner packets are held to the peer they came from", "[inner]") {
    Pair pair;
    pair.connect();
    wg::Keypair& keypair = *pair.peer_in_a().current.load();
    const auto try_inner = [&](const Bytes& inner) {
        pair.b.delivered.clear();
        pair.b.dropped.clear();
        const std::uint64_t counter = keypair.send_counter++;
        pair.b.receive({{pair.a.address(), pair.b.address(), seal_as(keypair, counter, inner)}});
        return pair.b.delivered.size() == 1;
    };
    const Bytes good = inner_packet("10.0.0.1", "10.0.0.2", 30);
    CHECK(try_inner(good));
    SECTION("a source of nobody") {
        CHECK_FALSE(try_inner(inner_packet("10.0.0.3", "10.0.0.2", 30)));
        CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kBadSource});
        CHECK_FALSE(try_inner(inner_packet("fd00::1", "fd00::2", 30)));
    }
    SECTION("a source of another peer, by longest match") {
        Node& c = pair.world.add("192.0.2.3:1");
        pair.world.introduce(c, "10.0.0.0/24", pair.b, "10.0.0.2/32");
        CHECK(try_inner(good));
        CHECK_FALSE(try_inner(inner_packet("10.0.0.77", "10.0.0.2", 30)));
        CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kBadSource});
    }
    SECTION("padding is cut off by the packet's own length") {
        Bytes padded = good;
        padded.resize(padded.size() + 100, 0x55);
        CHECK(try_inner(padded));
        CHECK(pair.b.delivered[0] == good);
    }
    SECTION("lengths that lie, versions that do not exist, scraps") {
        Bytes longer = good;
        store_be<std::uint16_t>(longer.data() + 2, static_cast<std::uint16_t>(good.size() + 1));
        CHECK_FALSE(try_inner(longer));
        Bytes shorter = good;
        store_be<std::uint16_t>(shorter.data() + 2, 19);
        CHECK_FALSE(try_inner(shorter));
        Bytes version = good;
        version[0] = 0x55;
        CHECK_FALSE(try_inner(version));
        for (std::size_t size = 1; size < 20; ++size)
            CHECK_FALSE(try_inner(Bytes(good.begin(), good.begin() + static_cast<long>(size))));
        Bytes v6 = inner_packet("fd00::1", "fd00::2", 0);
        v6.resize(39);
        CHECK_FALSE(try_inner(v6));
        CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kBadInner});
    }
}

TEST_CASE("congestion marks cross the tunnel as RFC 6040 has it", "[inner]") {
    Pair pair;
    pair.connect();
    const auto through = [&](std::uint8_t inner_ecn, bool mark) -> int {
        pair.b.delivered.clear();
        std::uint8_t outer = 0xff;
        pair.world.middlebox = [&](Datagram& datagram) {
            outer = datagram.tos;
            if (mark) datagram.tos |= 3;
            return true;
        };
        pair.a.send(inner_packet("10.0.0.1", "10.0.0.2", 30, static_cast<std::uint8_t>(0xb8 | inner_ecn)));
        pair.world.run_for(10ms);
        CHECK(outer == inner_ecn); // the congestion field, and no DSCP
        if (pair.b.delivered.empty()) return -1;
        CHECK((pair.b.delivered[0][1] & 0xfc) == 0xb8);
        // What came out is what a host would accept: its checksum holds.
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < 20; i += 2)
            sum += load_be<std::uint16_t>(pair.b.delivered[0].data() + i);
        CHECK((sum & 0xffff) + (sum >> 16) == 0xffff);
        return pair.b.delivered[0][1] & 3;
    };
    CHECK(through(0, false) == 0);
    CHECK(through(1, false) == 1);
    CHECK(through(2, false) == 2);
    CHECK(through(3, false) == 3);
    CHECK(through(0, true) == -1); // dropped: nobody inside would understand
    CHECK(through(1, true) == 3);
    CHECK(through(2, true) == 3);
    CHECK(through(3, true) == 3);
}

TEST_CASE("bug: oversized, tiny and nonsensical datagrams are dropped and the receiver lives", "[bugs]") {
    Pair pair;
    pair.connect();
    SeededRandom random(3);
    std::vector<Datagram> batch;
    for (std::size_t size :
         {0u, 1u, 3u, 4u, 15u, 16u, 31u, 32u, 33u, 63u, 91u, 147u, 149u, 1500u, 9000u, 65507u})
        for (std::uint8_t type = 0; type < 6; ++type) {
            Bytes bytes(size);
            random.fill(bytes);
            if (size >= 4) store_le<std::uint32_t>(bytes.data(), type);
            if (size >= 8 && type == 4)
                store_le<std::uint32_t>(bytes.data() + 4, pair.peer_in_b().current.load()->local_index);
            batch.push_back({kElsewhere, pair.b.address(), std::move(bytes)});
        }
    pair.b.receive(batch);
    CHECK(pair.b.delivered.empty());
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("a datagram with reserved bytes set is not a message", "[messages]") {
    Pair pair;
    pair.world.middlebox = [](Datagram& datagram) {
        datagram.bytes[2] = 1;
        return true;
    };
    pair.a_to_b();
    pair.world.run_for(1s);
    CHECK(pair.b.engine().counters().initiations_received == 0);
    CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kMalformed});
}

TEST_CASE("bug: passive keepalives must not answer keepalives", "[bugs]") {
    Pair pair;
    pair.connect();
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 7; }));
    pair.world.run_for(15s);
    pair.world.eavesdropper.reset_counts();
    const std::uint64_t before = pair.b.peer(pair.a.key()).tx_bytes;
    pair.world.run_for(70s);
    CHECK(pair.world.eavesdropper.keepalives() == 10);
    CHECK(pair.b.peer(pair.a.key()).tx_bytes == before);
}

TEST_CASE("unroutable packets are answered, what must not be answered is not", "[unreachable]") {
    World world;
    Node& a = world.add("192.0.2.1:1");
    SECTION("IPv4 without a route") {
        const Bytes packet = inner_packet("10.0.0.1", "10.9.9.9", 30);
        a.send(packet);
        REQUIRE(a.unreachables.size() == 1);
        const Bytes& answer = a.unreachables[0];
        CHECK(answer.size() == 28 + packet.size());
        CHECK(answer[9] == 1);
        CHECK(answer[20] == 3);
        CHECK(answer[21] == 1);
        CHECK(std::equal(answer.begin() + 16, answer.begin() + 20, packet.begin() + 12));
        CHECK(std::equal(answer.begin() + 28, answer.end(), packet.begin()));
        for (const auto& [from, size] : {std::pair{0L, 20L}, {20L, static_cast<long>(answer.size()) - 20}}) {
            std::uint32_t sum = 0;
            for (long i = from; i < from + size; i += 2)
                sum += load_be<std::uint16_t>(answer.data() + i);
            while ((sum >> 16) != 0)
                sum = (sum & 0xffff) + (sum >> 16);
            CHECK(sum == 0xffff);
        }
    }
    SECTION("IPv6, and a peer without an endpoint") {
        a.apply(change_peer(derive_public_key(a.private_key()), [](PeerDelta&) {}));
        CHECK(a.engine().snapshot().peers.empty()); // oneself is nobody's peer
        Node& b = world.add("192.0.2.2:1");
        a.apply(change_peer(b.key(), [](PeerDelta& peer) {
            peer.allowed_ips.push_back({IpPrefix::parse("fd00::2/128").value()});
        }));
        a.send(inner_packet("fd00::1", "fd00::2", 2000));
        REQUIRE(a.unreachables.size() == 1);
        CHECK(a.unreachables[0].size() == 576);
        CHECK(a.unreachables[0][6] == 58);
        CHECK(a.unreachables[0][40] == 1);
        CHECK(a.engine().data_path().drops(wg::Drop::kNoEndpoint) == 1);
    }
    SECTION("errors, multicast, fragments, scraps") {
        Bytes error = inner_packet("10.0.0.1", "10.9.9.9", 30);
        error[9] = 1;
        error[20] = 3;
        a.send(error);
        a.send(inner_packet("10.0.0.1", "224.0.0.1", 30));
        Bytes fragment = inner_packet("10.0.0.1", "10.9.9.9", 30);
        fragment[7] = 5;
        a.send(fragment);
        a.send(inner_packet("fe80::1", "ff02::1", 30));
        a.send(Bytes{0x45});
        CHECK(a.unreachables.empty());
    }
    SECTION("no more than so many") {
        for (int i = 0; i < 1000; ++i)
            a.send(inner_packet("10.0.0.1", "10.9.9.9", 30));
        CHECK(a.unreachables.size() >= 40);
        CHECK(a.unreachables.size() <= 60);
        world.run_for(1s);
        a.send(inner_packet("10.0.0.1", "10.9.9.9", 30));
        CHECK(a.unreachables.size() <= 61);
    }
}

TEST_CASE("staged packets: the last 128 in order, the rest gone", "[staging]") {
    Pair pair;
    pair.world.weather.latency = 100ms;
    for (std::size_t i = 0; i < 200; ++i)
        pair.a_to_b(10 + i);
    CHECK(pair.a.engine().data_path().drops(wg::Drop::kStagingFull) == 72);
    pair.world.run_for(1s);
    REQUIRE(pair.b.delivered.size() == 128);
    for (std::size_t i = 0; i < 128; ++i)
        CHECK(pair.b.delivered[i].size() == 28 + 10 + 72 + i);
}
