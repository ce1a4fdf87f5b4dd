// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "daemon/control/peer_state.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

struct Watch {
    PeerTracker tracker;
    WgPeer peer;
    Instant now{1h};
    WallTime wall{1'000'000h};

    PeerState look(Duration later = 0s) {
        now += later;
        wall += later;
        return tracker.observe(peer, now, wall);
    }
    void shake_hands() {
        peer.latest_handshake = wall;
        peer.rx_bytes += 92;
        peer.tx_bytes += 148;
    }
};

} // namespace

TEST_CASE("a peer that nobody spoke to was never there") {
    Watch watch;
    CHECK(watch.look() == PeerState::kNever);
    CHECK(watch.look(24h) == PeerState::kNever);
}

TEST_CASE("a peer that never answers is failing once it had time to") {
    Watch watch;
    CHECK(watch.look() == PeerState::kNever);
    watch.peer.tx_bytes = 148;
    CHECK(watch.look(5s) == PeerState::kNever);
    watch.peer.tx_bytes = 444;
    CHECK(watch.look(10s) == PeerState::kNever);
    CHECK(watch.look(6s) == PeerState::kFailing);
    watch.shake_hands();
    CHECK(watch.look(1s) == PeerState::kActive);
}

TEST_CASE("an old handshake alone is idleness, not failure") {
    Watch watch;
    watch.shake_hands();
    CHECK(watch.look() == PeerState::kActive);
    CHECK(watch.look(179s) == PeerState::kActive); // a session renewed at 120 s does not flap
    CHECK(watch.look(17s) == PeerState::kIdle);
    CHECK(watch.look(24h) == PeerState::kIdle);
}

TEST_CASE("with a persistent keepalive there is no idleness") {
    Watch watch;
    watch.peer.persistent_keepalive = 25;
    watch.shake_hands();
    CHECK(watch.look() == PeerState::kActive);
    CHECK(watch.look(200s) == PeerState::kFailing);
}

TEST_CASE("sending without hearing anything is failure, even in a young session") {
    Watch watch;
    watch.shake_hands();
    CHECK(watch.look() == PeerState::kActive);
    for (int i = 0; i < 4; ++i) {
        watch.peer.tx_bytes += 1000;
        CHECK(watch.look(4s) == PeerState::kActive);
    }
    watch.peer.tx_bytes += 1000;
    CHECK(watch.look(4s) == PeerState::kFailing);
    watch.peer.rx_bytes += 32;
    CHECK(watch.look(1s) == PeerState::kActive);
}

TEST_CASE("a quiet session is not a failing one") {
    Watch watch;
    watch.shake_hands();
    CHECK(watch.look() == PeerState::kActive);
    CHECK(watch.look(60s) == PeerState::kActive);
    CHECK(watch.look(60s) == PeerState::kActive);
}

TEST_CASE("keepalives are not answered, and that is no failure") {
    Watch watch;
    watch.shake_hands();
    CHECK(watch.look() == PeerState::kActive);
    watch.peer.tx_bytes += 32; // we received last
    CHECK(watch.look(1s) == PeerState::kActive);
    CHECK(watch.look(20s) == PeerState::kActive);

    watch.peer.persistent_keepalive = 25;
    for (int i = 0; i < 4; ++i) { // looks 25 s apart, each with its keepalive, until the session is renewed
        watch.peer.tx_bytes += 32;
        CHECK(watch.look(25s) == PeerState::kActive);
    }
    watch.peer.persistent_keepalive = 5;
    watch.peer.tx_bytes += 5 * 32;
    CHECK(watch.look(21s) == PeerState::kActive);
    CHECK(watch.look(16s) == PeerState::kActive);

    watch.peer.tx_bytes += 32 + 148; // a new handshake is being tried
    CHECK(watch.look(1s) == PeerState::kActive);
    watch.peer.tx_bytes += 3 * 148;
    CHECK(watch.look(16s) == PeerState::kFailing);
}

TEST_CASE("counters that begin anew are not traffic without an answer") {
    Watch watch;
    watch.shake_hands();
    watch.peer.tx_bytes = 1'000'000;
    CHECK(watch.look() == PeerState::kActive);
    watch.peer.tx_bytes = 0;
    watch.peer.rx_bytes = 0;
    CHECK(watch.look(20s) == PeerState::kActive);
    CHECK(watch.look(20s) == PeerState::kActive);
}
