// SPDX-License-Identifier: MIT
// How a peer is doing, from what its counters did between the times we looked. A handshake's age alone says
// little (compat.md C15.4): an idle peer's is legitimately old. The protocol's own promise is the measure:
// who receives data answers within KEEPALIVE_TIMEOUT, with an empty packet if need be (WG 6.5). To empty
// packets nobody answers, so that what they can explain is not counted as sent.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/time.hpp"
#include "common/model/device.hpp"
#include "daemon/control/view.hpp"

namespace wgd::control {

// Sent something and heard nothing for this long: KEEPALIVE_TIMEOUT + REKEY_TIMEOUT (10 s + 5 s, WG 6.1).
inline constexpr Duration kSilenceLimit = std::chrono::seconds(15);
// No session is used longer than REJECT_AFTER_TIME (180 s); the margin keeps a renewal from flapping.
inline constexpr Duration kSessionLimit = std::chrono::seconds(180 + 15);

class PeerTracker {
  public:
    // never: no handshake yet. active: a session is alive and answers. idle: no session, and nobody asks for
    // one. failing: we send and nothing comes back, or persistent keepalives do not keep a session alive.
    PeerState observe(const WgPeer& peer, Instant now, WallTime wall);
    // Something was sent and nothing has come back yet.
    [[nodiscard]] bool unanswered() const { return unanswered_since_.has_value(); }

  private:
    bool seen_ = false;
    Instant looked_{};
    std::uint64_t rx_ = 0; // at the last look
    std::uint64_t tx_ = 0;
    std::optional<Instant>
        unanswered_since_; // first look at which more had been sent, and nothing received since
};

} // namespace wgd::control
