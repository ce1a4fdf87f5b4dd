// SPDX-License-Identifier: MIT
#include "daemon/control/peer_state.hpp"

#include <algorithm>

namespace wgd::control {
namespace {

// An empty data message, and how often at most one is sent that nobody asked for (WG 5.4.6, 6.5).
constexpr std::uint64_t kKeepaliveBytes = 32;
constexpr Duration kKeepaliveTimeout = std::chrono::seconds(10);

// The most that keepalives may have sent between two looks. They are not answered, so that they say nothing.
std::uint64_t keepalives_at_most(const WgPeer& peer, Duration elapsed) {
    Duration interval = kKeepaliveTimeout;
    if (peer.persistent_keepalive != 0)
        interval = std::min<Duration>(interval, std::chrono::seconds(peer.persistent_keepalive));
    return kKeepaliveBytes * (1 + static_cast<std::uint64_t>(std::max(elapsed, Duration::zero()) / interval));
}

} // namespace

PeerState PeerTracker::observe(const WgPeer& peer, Instant now, WallTime wall) {
    const bool answered = !seen_ || peer.rx_bytes != rx_; // also when the counters began anew
    const bool sent =
        seen_ && peer.tx_bytes > tx_ && peer.tx_bytes - tx_ > keepalives_at_most(peer, now - looked_);
    seen_ = true;
    looked_ = now;
    rx_ = peer.rx_bytes;
    tx_ = peer.tx_bytes;
    if (answered)
        unanswered_since_.reset();
    else if (sent && !unanswered_since_)
        unanswered_since_ = now;

    const bool silent = unanswered_since_ && now - *unanswered_since_ > kSilenceLimit;
    if (silent) return PeerState::kFailing;
    if (peer.latest_handshake == WallTime{}) return PeerState::kNever;
    const bool session = wall - peer.latest_handshake <= kSessionLimit;
    if (session) return PeerState::kActive;
    return peer.persistent_keepalive != 0 ? PeerState::kFailing : PeerState::kIdle;
}

} // namespace wgd::control
