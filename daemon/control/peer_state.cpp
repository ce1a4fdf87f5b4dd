// SPDX-License-Identifier: MIT
#include "daemon/control/peer_state.hpp"

namespace wgd::control {

PeerState PeerTracker::observe(const WgPeer& peer, Instant now, WallTime wall) {
    const bool answered = !seen_ || peer.rx_bytes != rx_; // also when the counters began anew
    const bool sent = seen_ && peer.tx_bytes > tx_;
    seen_ = true;
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
