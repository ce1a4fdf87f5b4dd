// SPDX-License-Identifier: MIT
// Handshakes: keys, roles, crossing, and every state against every message.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/sim/fixtures.hpp"

using namespace wgd;
using namespace wgd::sim;

namespace {

PresharedKey psk(std::uint8_t fill) {
    PresharedKey key;
    for (std::uint8_t& byte : key.expose_mut())
        byte = fill;
    return key;
}

void set_psk(Node& node, const PublicKey& peer, std::uint8_t fill) {
    node.apply(change_peer(peer, [&](PeerDelta& delta) { delta.preshared_key = psk(fill); }));
}

} // namespace

TEST_CASE("preshared keys must agree", "[handshake]") {
    Pair pair;
    set_psk(pair.a, pair.b.key(), 7);
    pair.a_to_b();
    pair.world.run_for(3s);
    CHECK(pair.b.delivered.empty());
    set_psk(pair.b, pair.a.key(), 7);
    pair.world.run_for(10s);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("a changed preshared key reaches a running tunnel with its next handshake", "[handshake]") {
    Pair pair;
    pair.connect();
    set_psk(pair.a, pair.b.key(), 9);
    pair.a_to_b(); // the session goes on
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.size() == 1);
    pair.world.run_for(130s);
    pair.a_to_b(); // asks for a new one, which b, not told, fails to complete
    pair.world.run_for(1s);
    CHECK(pair.a.engine().counters().handshakes_completed == 1);
    set_psk(pair.b, pair.a.key(), 9);
    pair.world.run_for(10s);
    CHECK(pair.a.engine().counters().handshakes_completed == 2);
}

TEST_CASE("a responder does not send in a session before the initiator has", "[handshake]") {
    Pair pair;
    // a's first transport packet is lost, so b never learns that a has the keys.
    pair.world.middlebox = [&](Datagram& datagram) {
        return !(datagram.from == pair.a.address() && datagram.bytes[0] == 4);
    };
    pair.a_to_b();
    pair.world.run_for(1s);
    REQUIRE(pair.a.engine().counters().handshakes_completed == 1);
    pair.world.eavesdropper.reset_counts();
    pair.b_to_a();
    pair.world.run_for(100ms);
    CHECK(pair.world.eavesdropper.transports() == 0);
    CHECK(pair.a.delivered.empty());
    pair.world.middlebox = {};
    pair.a_to_b(); // the sign: b's staged packet follows
    pair.world.run_for(100ms);
    CHECK(pair.a.delivered.size() == 1);
}

TEST_CASE("both begin at once", "[handshake]") {
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
        Pair pair(seed);
        pair.world.weather.wobble = 3ms;
        pair.a_to_b(50);
        pair.b_to_a(60);
        INFO("seed " << seed);
        CHECK(pair.world.run_until(
            [&] { return pair.a.delivered.size() == 1 && pair.b.delivered.size() == 1; }, 12s));
        // And it goes on working in whatever session each took.
        for (int i = 0; i < 20; ++i) {
            pair.a_to_b();
            pair.b_to_a();
            pair.world.run_for(100ms);
        }
        CHECK(pair.a.delivered.size() == 21);
        CHECK(pair.b.delivered.size() == 21);
        CHECK(pair.world.eavesdropper.violations().empty());
    }
}

TEST_CASE("a new session takes over while packets of the old one are under way", "[handshake]") {
    Pair pair;
    pair.world.weather.latency = 300ms;
    pair.connect();
    for (int i = 0; i < 1500; ++i) { // 150 s, one renewal
        pair.a_to_b();
        pair.b_to_a();
        pair.world.run_for(100ms);
    }
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.size() == 1500);
    CHECK(pair.a.delivered.size() == 1500);
    CHECK(pair.world.eavesdropper.violations().empty());
}

TEST_CASE("a responder that restarts is found again", "[handshake]") {
    Pair pair;
    pair.connect();
    wg::Outbox out;
    pair.b.engine().set_up(false, pair.world.now(), out);
    pair.b.engine().set_up(true, pair.world.now(), out);
    pair.a_to_b(); // into the void; 15 s later a notices
    CHECK(pair.world.run_until([&] { return pair.a.engine().counters().handshakes_completed == 2; }, 16s));
    pair.a_to_b();
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("a new private key makes another device of it", "[handshake]") {
    Pair pair;
    pair.connect();
    SeededRandom random(99);
    std::array<std::uint8_t, 32> bytes;
    random.fill(bytes);
    DeviceDelta delta;
    delta.private_key = clamp_private_key(bytes);
    pair.a.apply(std::move(delta));
    CHECK(pair.a.engine().snapshot().public_key != pair.a.key());
    pair.world.eavesdropper.reset_counts();
    pair.a_to_b();
    pair.world.run_for(3s);
    CHECK(pair.world.eavesdropper.transports() == 0); // not in the old session
    CHECK(pair.world.eavesdropper.initiations() == 1);
    CHECK(pair.world.eavesdropper.responses() == 0); // b does not know it

    SECTION("setting the same key again changes nothing") {
        DeviceDelta same;
        same.private_key = pair.b.private_key();
        pair.b.apply(std::move(same));
        CHECK(pair.peer_in_b().current.load()->may_send);
    }
    SECTION("without a key nothing is answered or begun") {
        DeviceDelta none;
        none.private_key = PrivateKey{};
        pair.b.apply(std::move(none));
        pair.world.eavesdropper.reset_counts();
        pair.b_to_a();
        pair.world.run_for(3s);
        CHECK(pair.b.engine().counters().initiations_sent == 0);
        CHECK(pair.world.eavesdropper.transports() == 0);
        CHECK(pair.b.engine().snapshot().private_key.is_zero());
    }
}

TEST_CASE("a peer whose key is a point of small order never gets a handshake", "[handshake]") {
    World world;
    Node& a = world.add("192.0.2.1:1");
    std::array<std::uint8_t, 32> one{};
    one[0] = 1;
    for (const PublicKey& key : {PublicKey{}, PublicKey{one}}) {
        a.apply(change_peer(key, [](PeerDelta& peer) {
            peer.endpoint = Endpoint::parse("192.0.2.2:2");
            peer.allowed_ips.push_back({IpPrefix::parse("10.0.0.2/32").value()});
        }));
        a.send(inner_packet("10.0.0.1", "10.0.0.2", 10));
        world.run_for(10s);
    }
    CHECK(world.eavesdropper.initiations() == 0);
}

// --- every state against every message ---
//
// b is brought into each state of a handshake; then it gets every kind of message there is: good ones of this
// handshake, of an older one, of another peer, and forged ones. Whatever comes, b must not change its session
// but for the messages that may, and the tunnel must work afterwards.

namespace {

enum class State {
    kNothing,
    kInitiationSent,
    kResponseSent,
    kEstablishedInitiator,
    kEstablishedResponder,
    kRenewing,
    kAnsweringAgain,
    kExpired
};
const char* name(State state) {
    switch (state) {
    case State::kNothing:
        return "nothing";
    case State::kInitiationSent:
        return "initiation sent";
    case State::kResponseSent:
        return "response sent";
    case State::kEstablishedInitiator:
        return "established as initiator";
    case State::kEstablishedResponder:
        return "established as responder";
    case State::kRenewing:
        return "established, with an initiation of its own under way";
    case State::kAnsweringAgain:
        return "established, with a second session answered and not confirmed";
    case State::kExpired:
        return "expired";
    }
    return "";
}

struct Recorded {
    std::vector<Datagram> to_b; // everything a ever sent to b
};

// Brings b into the state; a's datagrams are recorded.
void bring(Pair& pair, State state, Recorded& recorded) {
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.to == pair.b.address()) recorded.to_b.push_back(datagram);
        return true;
    };
    switch (state) {
    case State::kNothing:
        break;
    case State::kInitiationSent:
        pair.world.middlebox = [](Datagram&) { return false; };
        pair.b_to_a();
        break;
    case State::kResponseSent: {
        auto record = pair.world.middlebox;
        pair.world.middlebox = [&, record](Datagram& datagram) {
            return record(datagram) && datagram.bytes[0] != 2;
        };
        pair.a_to_b();
        pair.world.run_for(100ms);
        REQUIRE(pair.peer_in_b().next.load() != nullptr);
        break;
    }
    case State::kEstablishedInitiator:
        pair.b_to_a();
        pair.world.run_for(100ms);
        pair.a_to_b();
        pair.world.run_for(100ms);
        REQUIRE(pair.peer_in_b().current.load()->initiator);
        break;
    case State::kRenewing:
        pair.b_to_a();
        pair.world.run_for(100ms);
        pair.a_to_b();
        pair.world.run_for(wg::kRekeyAfterTime + 1s);
        pair.world.middlebox = [](Datagram&) { return false; };
        pair.b_to_a();
        REQUIRE(pair.peer_in_b().initiation != nullptr);
        REQUIRE(pair.peer_in_b().current.load() != nullptr);
        break;
    case State::kAnsweringAgain: {
        auto record = pair.world.middlebox;
        pair.connect();
        pair.world.run_for(wg::kRekeyAfterTime + 1s);
        pair.world.middlebox = [&, record](Datagram& datagram) {
            return record(datagram) && datagram.bytes[0] != 2;
        };
        pair.a_to_b();
        pair.world.run_for(100ms);
        REQUIRE(pair.peer_in_b().next.load() != nullptr);
        REQUIRE(pair.peer_in_b().current.load() != nullptr);
        break;
    }
    case State::kEstablishedResponder:
    case State::kExpired:
        pair.connect();
        REQUIRE_FALSE(pair.peer_in_b().current.load()->initiator);
        if (state == State::kExpired) pair.world.run_for(200s);
        break;
    }
    pair.world.middlebox = {};
}

} // namespace

TEST_CASE("every state of a handshake against every message", "[handshake]") {
    for (State state :
         {State::kNothing, State::kInitiationSent, State::kResponseSent, State::kEstablishedInitiator,
          State::kEstablishedResponder, State::kRenewing, State::kAnsweringAgain, State::kExpired}) {
        Recorded recorded;
        Pair pair;
        bring(pair, state, recorded);
        INFO("state: " << name(state));
        World& world = pair.world;

        // A third device, whom b does not know, and one whose messages are for somebody else.
        Node& stranger = world.add("192.0.2.3:51820");
        stranger.apply(change_peer(pair.b.key(), [&](PeerDelta& peer) {
            peer.endpoint = pair.b.address();
            peer.allowed_ips.push_back({IpPrefix::parse("10.0.0.2/32").value()});
        }));
        Bytes strange_initiation;
        world.middlebox = [&](Datagram& datagram) {
            if (datagram.from == stranger.address()) strange_initiation = datagram.bytes;
            return false;
        };
        stranger.send(inner_packet("10.0.0.9", "10.0.0.2", 10));
        REQUIRE(strange_initiation.size() == 148);

        std::vector<Bytes> messages;
        messages.push_back(strange_initiation);
        for (const Datagram& datagram : recorded.to_b) // replays of everything, whole and damaged
            for (int variant = 0; variant < 4; ++variant) {
                Bytes bytes = datagram.bytes;
                if (variant == 1) bytes[bytes.size() - 1] ^= 1;
                if (variant == 2) bytes[4] ^= 1;
                if (variant == 3) bytes.pop_back();
                messages.push_back(bytes);
            }
        SeededRandom random(7);
        const auto b_indices = [&] {
            std::vector<std::uint32_t> all{0, 0xffffffff};
            wg::Peer& peer = pair.peer_in_b();
            if (peer.initiation) all.push_back(peer.initiation->local_index);
            for (const wg::Keypair* keypair : {peer.current.load(), peer.next.load(), peer.previous})
                if (keypair) all.push_back(keypair->local_index);
            return all;
        }();
        for (std::uint32_t index : b_indices)
            for (std::size_t size :
                 {std::size_t{148}, std::size_t{92}, std::size_t{64}, std::size_t{32}, std::size_t{128}})
                for (std::uint32_t type = 0; type < 6; ++type) {
                    Bytes bytes(size);
                    random.fill(bytes);
                    store_le<std::uint32_t>(bytes.data(), type);
                    store_le<std::uint32_t>(bytes.data() + (type == 2 ? 8 : 4), index);
                    if (type == 1 || type == 2) { // with a good mac1, which everyone can make
                        wg::CookieKeeper keeper;
                        keeper.add_macs(bytes, pair.b.key(), world.now().mono);
                    }
                    messages.push_back(bytes);
                }

        const auto describe = [&] {
            wg::Peer& peer = pair.peer_in_b();
            return std::tuple{peer.current.load(), peer.next.load(), peer.previous,
                              peer.initiation ? peer.initiation->local_index : 0, peer.path.load()};
        };
        const auto before = describe();
        unsigned answers = 0;
        world.middlebox = [&](Datagram& datagram) {
            if (datagram.from == pair.b.address()) ++answers;
            return false;
        };
        const std::size_t delivered = pair.b.delivered.size();
        for (const Bytes& bytes : messages)
            pair.b.receive({{Endpoint::parse("198.51.100.66:6666").value(), pair.b.address(), bytes}});
        CHECK(pair.b.delivered.size() == delivered);
        CHECK(describe() == before);
        CHECK(answers == 0);
        CHECK(pair.b.peer(pair.a.key()).rx_bytes == pair.peer_in_b().rx_bytes);

        // The tunnel works, at the latest after a retransmission.
        world.middlebox = {};
        pair.a_to_b();
        pair.b_to_a();
        CHECK(world.run_until(
            [&] { return pair.b.delivered.size() > delivered && !pair.a.delivered.empty(); }, 30s));
        CHECK(world.eavesdropper.violations().empty());
    }
}

TEST_CASE("handshakes are marked AF41, data carries the congestion marks of its inside but no DSCP",
          "[handshake]") {
    Pair pair;
    std::map<std::uint8_t, std::set<std::uint8_t>> marks; // by message type
    pair.world.middlebox = [&](Datagram& datagram) {
        marks[datagram.bytes[0]].insert(datagram.tos);
        return true;
    };
    pair.connect();
    marks[4].clear();
    Bytes packet = inner_packet("10.0.0.1", "10.0.0.2", 40);
    packet[1] = 0xb8 | 0x02; // EF, ECT(0)
    pair.a.send(packet);
    pair.world.run_for(1s);
    CHECK(marks[1] == std::set<std::uint8_t>{0x88});
    CHECK(marks[2] == std::set<std::uint8_t>{0x88});
    CHECK(marks[4] == std::set<std::uint8_t>{0x02});
    REQUIRE(pair.b.delivered.size() == 1);
    CHECK(pair.b.delivered[0][1] == packet[1]);
}
