// SPDX-License-Identifier: MIT
#include "daemon/control/endpoint_watch.hpp"

#include <algorithm>

namespace wgd::control {

void EndpointWatch::start(const Profile& profile, std::function<void()> ready) {
    wanted_.clear();
    timer_.reset();
    found_ = nullptr;
    ready_ = std::move(ready);
    for (const ProfilePeer& peer : profile.peers) {
        if (!peer.endpoint) continue;
        Wanted& wanted = wanted_.emplace_back();
        wanted.peer = peer.public_key;
        wanted.spec = *peer.endpoint;
        if (const auto numeric = peer.endpoint->numeric()) wanted.addresses.push_back(*numeric);
    }
    const std::weak_ptr<bool> alive = alive_;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
        if (wanted_[i].addresses.empty()) wanted_[i].asking = true;
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
        if (wanted_[i].asking) ask(i);
        // An answer at once may have called `ready`, which may have destroyed this.
        if (alive.expired()) return;
    }
    if (!ready_) return;
    if (all_asked()) return conclude();
    timer_ = timers_.after(timing_.endpoint_wait, [this] { conclude(); });
}

void EndpointWatch::keep_trying(std::function<void()> found) {
    found_ = std::move(found);
    delay_ = timing_.endpoint_retry;
    last_try_ = timers_.now();
    if (any_missing()) arm(delay_);
}

void EndpointWatch::nudge() {
    if (!found_ || !any_missing()) return;
    delay_ = timing_.endpoint_retry;
    const Instant soonest = last_try_ ? *last_try_ + delay_ : timers_.now();
    arm(std::max(Duration::zero(), Duration(soonest - timers_.now())));
}

plan::ResolvedEndpoints EndpointWatch::resolved(bool ipv6_available) const {
    plan::ResolvedEndpoints endpoints;
    for (const Wanted& wanted : wanted_) {
        const auto usable =
            std::find_if(wanted.addresses.begin(), wanted.addresses.end(), [&](const Endpoint& endpoint) {
                return ipv6_available || endpoint.address.is_v4();
            });
        if (usable != wanted.addresses.end()) endpoints.emplace(wanted.peer, *usable);
    }
    return endpoints;
}

std::vector<std::string> EndpointWatch::problems() const {
    std::vector<std::string> problems;
    for (const Wanted& wanted : wanted_) {
        if (!wanted.addresses.empty()) continue;
        problems.push_back("endpoint " + wanted.spec.text + " has no address yet" +
                           (wanted.problem.empty() ? "" : " (" + wanted.problem + ")") +
                           "; it is asked for again");
    }
    return problems;
}

bool EndpointWatch::all_asked() const {
    return std::none_of(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) { return wanted.asking; });
}

bool EndpointWatch::any_missing() const {
    return std::any_of(wanted_.begin(), wanted_.end(),
                       [](const Wanted& wanted) { return wanted.addresses.empty(); });
}

void EndpointWatch::ask(std::size_t index) {
    Wanted& wanted = wanted_[index];
    wanted.asking = true;
    const std::weak_ptr<bool> alive = alive_;
    auto query = resolver_.resolve(wanted.spec, [this, index, alive](Result<std::vector<Endpoint>> answer) {
        if (!alive.expired()) answered(index, std::move(answer));
    });
    if (!alive.expired()) wanted_[index].query = std::move(query);
}

void EndpointWatch::answered(std::size_t index, Result<std::vector<Endpoint>> answer) {
    Wanted& wanted = wanted_[index];
    wanted.asking = false;
    if (answer && !answer->empty()) {
        wanted.addresses = std::move(*answer);
        wanted.problem.clear();
    } else {
        wanted.problem = answer ? "the name has no address" : answer.error().message;
    }
    if (ready_) {
        if (all_asked()) conclude();
        return;
    }
    if (!wanted.addresses.empty() && found_) {
        // A copy: what it calls may replace or destroy this.
        const auto found = found_;
        found();
    }
}

void EndpointWatch::conclude() {
    // Moved out first: `ready` may destroy this.
    const auto ready = std::exchange(ready_, nullptr);
    timer_.reset();
    if (ready) ready();
}

void EndpointWatch::retry() {
    last_try_ = timers_.now();
    delay_ = std::min<Duration>(delay_ * 2, timing_.endpoint_retry_max);
    arm(delay_);
    const std::weak_ptr<bool> alive = alive_;
    for (std::size_t i = 0; !alive.expired() && i < wanted_.size(); ++i)
        if (wanted_[i].addresses.empty() && !wanted_[i].asking) ask(i);
}

void EndpointWatch::arm(Duration delay) {
    const std::weak_ptr<bool> alive = alive_;
    timer_ = timers_.after(delay, [this, alive] {
        if (!alive.expired() && any_missing()) retry();
    });
}

} // namespace wgd::control
