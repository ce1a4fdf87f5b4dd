// SPDX-License-Identifier: MIT
// EndpointSearch: where one peer is to be reached, of all the addresses that its name has. An address that
// works is kept, and one the peer roamed to as well; when nobody answers, the addresses get their turn one
// after the other. Decides from values: what look-ups said, what the device says, and the time.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/time.hpp"
#include "common/model/device.hpp"
#include "daemon/control/peer_state.hpp"

namespace wgd::control {

// How long an address may leave handshakes unanswered before the next one is tried: three initiations, one
// each REKEY_TIMEOUT (5 s, WG 6.1). Twice as long after each round in which none answered, up to the limit.
inline constexpr Duration kEndpointPatience = std::chrono::seconds(15);
inline constexpr Duration kEndpointPatienceMax = std::chrono::seconds(300);

class EndpointSearch {
  public:
    // `applied`: what the peer was given earlier, before a restart of the daemon or a reload.
    explicit EndpointSearch(std::optional<Endpoint> applied = {})
        : chosen_(applied) {}

    // A look-up answered; `follow`: go where the name goes even when the old address works. These return
    // whether the choice changed, or is to be made anew in the device.
    bool offer(std::vector<Endpoint> addresses, bool follow, Instant now);
    bool observe(const WgPeer& peer, Instant now, WallTime wall);
    bool allow_ipv6(bool allowed);
    // The device sends to an address that the kill switch does not let through: the choice is made anew in
    // it.
    bool displaced() { return moved_ = chosen_.has_value(); }

    [[nodiscard]] const std::optional<Endpoint>& chosen() const { return chosen_; }
    // The choice replaces what the device has, also an endpoint that the peer roamed to.
    [[nodiscard]] bool moved() const { return moved_; }
    void applied(const Endpoint& endpoint) { moved_ = moved_ && chosen_ != endpoint; }

    [[nodiscard]] bool known() const { return !addresses_.empty(); } // a look-up has answered at all
    [[nodiscard]] bool in_doubt() const { return doubt_.has_value(); }
    [[nodiscard]] bool unanswered() const { return tracker_.unanswered() || doubt_.has_value(); }
    // Another look-up may help; answered once for each reason.
    bool take_wish_to_look_up() { return std::exchange(wish_, false); }

  private:
    [[nodiscard]] std::vector<Endpoint> usable() const;
    void choose(const Endpoint& endpoint, Instant now);
    bool leave_abandoned_address(bool follow, Instant now);
    bool try_next(Instant now);

    std::vector<Endpoint> addresses_; // of the last look-up that succeeded
    bool ipv6_ = true;
    std::optional<Endpoint> chosen_;
    bool moved_ = false;
    std::optional<Endpoint> current_; // in the device, when last seen
    PeerTracker tracker_;
    bool observed_ = false;
    bool works_ = false;           // has a session
    std::optional<Instant> doubt_; // since when nobody answers
    Instant since_{};              // of the last change of mind
    std::size_t tried_ = 0;        // addresses without an answer in this round
    Duration patience_ = kEndpointPatience;
    bool wish_ = false;
};

} // namespace wgd::control
