// SPDX-License-Identifier: MIT
#include "daemon/control/endpoint_search.hpp"

#include <algorithm>

namespace wgd::control {
namespace {

bool contains(const std::vector<Endpoint>& list, const std::optional<Endpoint>& endpoint) {
    return endpoint && std::find(list.begin(), list.end(), *endpoint) != list.end();
}

} // namespace

std::vector<Endpoint> EndpointSearch::usable() const {
    std::vector<Endpoint> list;
    std::copy_if(addresses_.begin(), addresses_.end(), std::back_inserter(list),
                 [&](const Endpoint& endpoint) { return ipv6_ || endpoint.address.is_v4(); });
    return list;
}

void EndpointSearch::choose(const Endpoint& endpoint, Instant now) {
    // The first choice of all fills a gap; one that is made later displaces what is there.
    moved_ = chosen_.has_value();
    chosen_ = current_ = endpoint; // what the device has from now on, until it says otherwise
    since_ = now;
}

bool EndpointSearch::offer(std::vector<Endpoint> addresses, bool follow, Instant now) {
    addresses_ = std::move(addresses);
    const std::vector<Endpoint> list = usable();
    if (list.empty()) return false;
    if (!chosen_) {
        choose(list.front(), now);
        return true;
    }
    if (!doubt_) return leave_abandoned_address(follow, now);
    // Nobody answers where the device sends to. If the name still says so, others get their turn in time.
    if (contains(list, current_)) {
        chosen_ = current_;
        moved_ = false;
        return false;
    }
    choose(list.front(), now);
    return true;
}

// The name has other addresses now. Without a session there is nothing to lose by going there.
bool EndpointSearch::leave_abandoned_address(bool follow, Instant now) {
    const std::vector<Endpoint> list = usable();
    if (list.empty() || !chosen_ || contains(list, chosen_)) return false;
    if (!follow && (!observed_ || works_)) return false;
    choose(list.front(), now);
    return true;
}

bool EndpointSearch::observe(const WgPeer& peer, Instant now, WallTime wall) {
    const PeerState state = tracker_.observe(peer, now, wall);
    observed_ = true;
    current_ = peer.endpoint;
    works_ = state != PeerState::kFailing && peer.latest_handshake != WallTime{} &&
             wall - peer.latest_handshake <= kSessionLimit;
    // A datagram that cannot even be sent, for want of a route, is counted by nobody; a keepalive that
    // brought about no handshake shows it.
    const bool never = state == PeerState::kNever && peer.persistent_keepalive != 0 && chosen_ &&
                       now - since_ > kSilenceLimit;
    if (state != PeerState::kFailing && !never) {
        doubt_.reset();
        tried_ = 0;
        patience_ = kEndpointPatience;
        return leave_abandoned_address(false, now);
    }
    if (!doubt_) {
        // First of all the name is asked: it may have moved together with the peer.
        doubt_ = now;
        wish_ = true;
        return false;
    }
    if (now - std::max(since_, *doubt_) < patience_) return false;
    return try_next(now);
}

bool EndpointSearch::try_next(Instant now) {
    const std::vector<Endpoint> list = usable();
    if (++tried_ >= list.size()) {
        tried_ = 0;
        patience_ = std::min(2 * patience_, kEndpointPatienceMax);
        wish_ = true;
    }
    since_ = now;
    if (list.empty()) return false;
    const std::optional<Endpoint>& last = current_ ? current_ : chosen_;
    const auto at = last ? std::find(list.begin(), list.end(), *last) : list.end();
    const Endpoint& next = at == list.end() || at + 1 == list.end() ? list.front() : *(at + 1);
    if (next == last) return false; // the only one, and in use
    choose(next, now);
    return true;
}

bool EndpointSearch::allow_ipv6(bool allowed) {
    if (ipv6_ == allowed) return false;
    ipv6_ = allowed;
    const std::optional<Endpoint> before = chosen_;
    if (!ipv6_ && chosen_ && !chosen_->address.is_v4()) chosen_.reset();
    if (const std::vector<Endpoint> list = usable(); !chosen_ && !list.empty()) chosen_ = list.front();
    return chosen_ != before;
}

} // namespace wgd::control
