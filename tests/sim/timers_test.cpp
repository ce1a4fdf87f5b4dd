// SPDX-License-Identifier: MIT
// The timers of WG 6, one test per rule.
#include <catch2/catch.hpp>

#include "tests/sim/fixtures.hpp"

using namespace wgd;
using namespace wgd::sim;

TEST_CASE("an unanswered initiation is repeated every REKEY_TIMEOUT with jitter, for REKEY_ATTEMPT_TIME",
          "[timers]") {
    Pair pair;
    std::vector<Instant> sent;
    std::set<Duration> gaps;
    pair.world.middlebox = [&](Datagram& datagram) {
        if (datagram.bytes[0] == 1) sent.push_back(pair.world.now().mono);
        return false;
    };
    pair.a_to_b();
    pair.world.run_for(200s);
    REQUIRE(sent.size() >= 17);
    REQUIRE(sent.size() <= 19);
    CHECK(sent.back() - sent.front() <= wg::kRekeyAttemptTime);
    for (std::size_t i = 1; i < sent.size(); ++i) {
        gaps.insert(sent[i] - sent[i - 1]);
        CHECK(sent[i] - sent[i - 1] >= 5s);
        CHECK(sent[i] - sent[i - 1] < 5s + 334ms);
    }
    CHECK(gaps.size() > 5); // jitter

    SECTION("a new packet begins anew, and what was staged before is gone") {
        pair.world.middlebox = {};
        pair.a_to_b(77);
        pair.world.run_for(1s);
        REQUIRE(pair.b.delivered.size() == 1);
        CHECK(pair.b.delivered[0].size() == 28 + 77);
    }
    SECTION("without one there is silence") {
        const std::size_t before = sent.size();
        pair.world.run_for(3600s);
        CHECK(sent.size() == before);
    }
}

TEST_CASE("a one-way stream renews its session every REKEY_AFTER_TIME and loses nothing", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.eavesdropper.reset_counts();
    for (int second = 0; second < 1200; ++second) {
        pair.a_to_b();
        pair.world.run_for(1s);
    }
    CHECK(pair.b.delivered.size() == 1200);
    CHECK(pair.world.eavesdropper.initiations() >= 9);
    CHECK(pair.world.eavesdropper.initiations() <= 10);
    CHECK(pair.world.eavesdropper.responses() == pair.world.eavesdropper.initiations());
    CHECK(pair.world.eavesdropper.violations().empty());
}

TEST_CASE("only the initiator renews, the responder never", "[timers]") {
    Pair pair;
    pair.connect();
    SECTION("a stream of the responder's: the initiator's keepalives notice the age at 120 s") {
        for (int second = 0; second < 175; ++second) {
            pair.b_to_a();
            pair.world.run_for(1s);
            if (second == 118) CHECK(pair.a.engine().counters().initiations_sent == 1);
        }
        CHECK(pair.a.delivered.size() == 175);
    }
    SECTION("at 166 s, by receiving alone") {
        pair.world.run_for(166s);
        pair.b_to_a();
        pair.world.run_for(100ms);
        CHECK(pair.a.engine().counters().initiations_sent == 2);
        CHECK(pair.a.delivered.size() == 1);
        pair.world.run_for(6s);
        pair.b_to_a(); // in the new session
        pair.world.run_for(1s);
        CHECK(pair.a.engine().counters().initiations_sent == 2);
    }
    CHECK(pair.b.engine().counters().initiations_sent == 0);
}

TEST_CASE("a session that cannot be renewed is not used past REJECT_AFTER_TIME, by either side", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.middlebox = [](Datagram& datagram) { return datagram.bytes[0] == 4; }; // no more handshakes
    pair.world.run_for(179s);
    pair.a_to_b();
    pair.world.run_for(100ms);
    CHECK(pair.b.delivered.size() == 1);
    pair.world.run_for(2s);
    pair.world.eavesdropper.reset_counts();
    pair.a_to_b();
    pair.b_to_a();
    pair.world.run_for(1s);
    CHECK(pair.world.eavesdropper.transports() == 0);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("a packet that arrives after REJECT_AFTER_TIME is refused", "[timers]") {
    Pair pair;
    pair.connect();
    std::vector<Datagram> kept;
    pair.world.middlebox = [&](Datagram& datagram) {
        kept.push_back(datagram);
        return false;
    };
    pair.a_to_b();
    REQUIRE(kept.size() == 1);
    pair.world.run_for(181s);
    pair.world.middlebox = {};
    pair.world.transmit(kept[0]);
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.empty());
    CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kExpired});

    SECTION("and after three times that nothing is left of the session") {
        pair.world.run_for(540s);
        pair.b.dropped.clear();
        pair.world.transmit(kept[0]);
        pair.world.run_for(1s);
        CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kUnknownSession});
        CHECK(pair.peer_in_a().current.load() == nullptr);
        CHECK(pair.peer_in_a().next.load() == nullptr);
        CHECK(pair.peer_in_a().previous == nullptr);
        CHECK(pair.peer_in_a().initiation == nullptr);
        CHECK(pair.peer_in_b().current.load() == nullptr);
    }
}

TEST_CASE("data without an answer is acknowledged by one keepalive, which nobody answers", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.run_for(60s);
    pair.world.eavesdropper.reset_counts();
    pair.a_to_b();
    pair.world.run_for(9900ms);
    CHECK(pair.world.eavesdropper.keepalives() == 0);
    pair.world.run_for(200ms);
    CHECK(pair.world.eavesdropper.keepalives() == 1);
    pair.world.run_for(100s);
    CHECK(pair.world.eavesdropper.keepalives() == 1);
    CHECK(pair.world.eavesdropper.transports() == 2);
    CHECK(pair.world.eavesdropper.initiations() == 0);
}

TEST_CASE("data that goes on without an answer is acknowledged every ten seconds", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.eavesdropper.reset_counts();
    for (int second = 0; second < 35; ++second) {
        pair.a_to_b();
        pair.world.run_for(1s);
    }
    CHECK(pair.world.eavesdropper.keepalives() >= 3);
    CHECK(pair.world.eavesdropper.keepalives() <= 4);
    CHECK(pair.world.eavesdropper.initiations() == 0);
}

TEST_CASE("an answer in time saves the keepalive", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.eavesdropper.reset_counts();
    for (int i = 0; i < 20; ++i) {
        pair.a_to_b();
        pair.world.run_for(5s);
        pair.b_to_a();
        pair.world.run_for(2s);
    }
    // 140 s: one renewal, whose confirmation may be an empty packet.
    CHECK(pair.world.eavesdropper.keepalives() <= 1);
}

TEST_CASE("data answered by nothing for KEEPALIVE_TIMEOUT + REKEY_TIMEOUT starts a handshake", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.run_for(60s);
    pair.world.middlebox = [](Datagram&) { return false; };
    pair.world.eavesdropper.reset_counts();
    pair.a_to_b();
    pair.world.run_for(14900ms);
    CHECK(pair.world.eavesdropper.initiations() == 0);
    pair.world.run_for(500ms);
    CHECK(pair.world.eavesdropper.initiations() == 1);
}

TEST_CASE("keepalives do not count as data: silence after them starts nothing", "[timers]") {
    Pair pair;
    pair.connect();
    pair.b_to_a(); // a owes a sign of life
    pair.world.run_for(5s);
    pair.world.middlebox = [](Datagram&) { return false; };
    pair.world.eavesdropper.reset_counts();
    pair.world.run_for(60s);
    CHECK(pair.world.eavesdropper.keepalives() == 1);
    CHECK(pair.a.engine().counters().initiations_sent == 1); // the first
}

TEST_CASE("a persistent keepalive is sent at once when it is turned on, and then at its interval",
          "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.eavesdropper.reset_counts();
    const auto set = [&](std::uint16_t seconds) {
        pair.a.apply(
            change_peer(pair.b.key(), [&](PeerDelta& peer) { peer.persistent_keepalive = seconds; }));
    };
    set(25);
    CHECK(pair.world.eavesdropper.keepalives() == 1);
    set(25); // no change, no packet
    CHECK(pair.world.eavesdropper.keepalives() == 1);
    pair.world.run_for(101s);
    CHECK(pair.world.eavesdropper.keepalives() == 5);
    set(0);
    pair.world.run_for(100s);
    CHECK(pair.world.eavesdropper.keepalives() == 5);
}

TEST_CASE("persistent keepalives keep sessions renewed for hours, without any data", "[timers]") {
    Pair pair;
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 20; }));
    pair.world.run_for(4h);
    // A keepalive at 120 s of age asks for a new session.
    CHECK(pair.a.engine().counters().handshakes_completed >= 4 * 3600 / 141);
    CHECK(pair.a.engine().counters().handshakes_completed <= 4 * 3600 / 119);
    CHECK(pair.world.eavesdropper.violations().empty());
}

TEST_CASE("persistent keepalives keep trying to reach a peer that is away", "[timers]") {
    Pair pair;
    pair.world.middlebox = [](Datagram&) { return false; };
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 25; }));
    pair.world.run_for(1h);
    CHECK(pair.world.eavesdropper.initiations() > 400); // every five seconds and a bit
    pair.world.middlebox = {};
    pair.world.run_for(30s); // it pauses for one interval after every 90 s of trying
    CHECK(pair.a.peer(pair.b.key()).latest_handshake.time_since_epoch() > 0s);
}

TEST_CASE("nothing is sent while the interface is down, and peers are greeted when it comes up", "[timers]") {
    Pair pair;
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 10; }));
    pair.world.run_for(30s);
    wg::Outbox out;
    pair.a.engine().set_up(false, pair.world.now(), out);
    CHECK(out.empty());
    pair.world.run_for(1s);
    pair.world.eavesdropper.reset_counts();
    pair.a_to_b();
    pair.a.apply(change_peer(pair.b.key(), [](PeerDelta& peer) { peer.persistent_keepalive = 11; }));
    pair.world.run_for(100s);
    CHECK(pair.a.delivered.empty());
    CHECK(pair.a.engine().counters().initiations_sent == 1);
    CHECK(pair.world.eavesdropper.transports() == 0);
    pair.a.engine().set_up(true, pair.world.now(), out);
    REQUIRE(out.datagrams().size() == 1);
    CHECK(out.bytes(out.datagrams()[0]).size() == 148);
}

TEST_CASE("REKEY_AFTER_MESSAGES starts a handshake, on either side", "[timers]") {
    Pair pair;
    pair.connect();
    SECTION("initiator") {
        pair.peer_in_a().current.load()->send_counter = wg::kRekeyAfterMessages;
        pair.world.run_for(6s);
        pair.a_to_b();
        pair.world.run_for(1s);
        CHECK(pair.a.engine().counters().handshakes_completed == 2);
    }
    SECTION("responder") {
        pair.peer_in_b().current.load()->send_counter = wg::kRekeyAfterMessages;
        pair.world.run_for(6s);
        pair.b_to_a();
        pair.world.run_for(1s);
        CHECK(pair.b.engine().counters().initiations_sent == 1);
        CHECK(pair.a.delivered.size() == 1);
    }
}

TEST_CASE("no counter at or past REJECT_AFTER_MESSAGES is sent or taken", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.run_for(6s);
    pair.world.middlebox = [](Datagram& datagram) { return datagram.bytes[0] == 4; };
    pair.peer_in_a().current.load()->send_counter = wg::kRejectAfterMessages - 2;
    pair.world.eavesdropper.reset_counts();
    pair.a.send_many(std::vector<Bytes>(5, inner_packet("10.0.0.1", "10.0.0.2", 30)));
    pair.world.run_for(100ms);
    CHECK(pair.world.eavesdropper.transports() == 2);
    CHECK(pair.b.delivered.size() == 2);

    // Somebody who has the key sends the next one nevertheless: well sealed, and refused.
    wg::Keypair& keypair = *pair.peer_in_a().current.load();
    Bytes datagram(32);
    datagram[0] = 4;
    store_le<std::uint32_t>(datagram.data() + 4, keypair.remote_index);
    store_le<std::uint64_t>(datagram.data() + 8, wg::kRejectAfterMessages);
    crypto::aead_seal(ByteSpan(datagram).subspan(16),
                      std::span<const std::uint8_t, 32>(keypair.sending_key.data(), 32),
                      wg::kRejectAfterMessages, {}, {});
    pair.b.dropped.clear();
    pair.b.receive({{pair.a.address(), pair.b.address(), datagram}});
    CHECK(pair.b.dropped == std::vector<wg::Drop>{wg::Drop::kExpired});
}

TEST_CASE("a suspended machine wakes up to expired sessions and makes a new one", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.jump(1h);
    pair.a_to_b();
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.size() == 1);
    CHECK(pair.world.eavesdropper.violations().empty());
}

TEST_CASE("a wall clock set back does not lock a peer out", "[timers]") {
    Pair pair;
    pair.connect();
    pair.world.run_for(200s);
    pair.world.set_wall_back(24h);
    pair.a_to_b();
    pair.world.run_for(1s);
    CHECK(pair.b.delivered.size() == 1);
}

TEST_CASE("questions and answers do not ask for the control thread", "[timers]") {
    Pair pair;
    pair.b.on_delivery = [&] { pair.b_to_a(); };
    pair.connect();
    pair.a.delivered.clear();
    const unsigned before = pair.a.wakes + pair.b.wakes;
    for (int question = 0; question < 500; ++question) { // five seconds
        pair.a_to_b();
        pair.world.run_for(10ms);
    }
    CHECK(pair.a.delivered.size() == 500);
    CHECK(pair.a.wakes + pair.b.wakes <= before + 2);
}

TEST_CASE("bug: clocks that go back end nobody", "[timers][bugs]") {
    // A data thread's idea of now may be older than what the control thread has done since.
    Pair pair;
    pair.connect();
    pair.b.handshake_backlog = 1000;
    for (const Duration back : {Duration(1ms), Duration(1s), Duration(5min)}) {
        pair.world.jump(-back);
        pair.a_to_b();
        pair.b_to_a();
        pair.world.run_for(back + 1s);
    }
    pair.b.handshake_backlog = 0;
    pair.b.delivered.clear();
    pair.world.run_for(200s);
    pair.a_to_b();
    CHECK(pair.world.run_until([&] { return !pair.b.delivered.empty(); }, 10s));
    CHECK(pair.world.eavesdropper.violations().empty());
}
