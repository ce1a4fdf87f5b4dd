// SPDX-License-Identifier: MIT
#include "daemon/control/endpoint_watch.hpp"

#include <algorithm>

#include "common/base/log.hpp"

namespace wgd::control {
namespace {

void sooner(std::optional<Instant>& planned, Instant at) {
    if (!planned || at < *planned) planned = at;
}

} // namespace

// ---- until all names have been asked once

void EndpointWatch::start(const Profile& profile, const plan::ResolvedEndpoints& applied,
                          std::function<void()> ready) {
    wanted_.clear();
    places_.clear();
    has_names_ = second_look_ = false;
    timer_.reset();
    armed_.reset();
    upkeep_.reset();
    last_look_ = next_look_ = std::nullopt;
    ready_ = std::move(ready);
    for (const ProfilePeer& peer : profile.peers) {
        if (!peer.endpoint) continue;
        Wanted& wanted = wanted_.emplace_back();
        wanted.peer = peer.public_key;
        wanted.spec = *peer.endpoint;
        places_.insert_or_assign(peer.public_key, wanted_.size() - 1);
        if (const auto numeric = peer.endpoint->numeric()) {
            wanted.is_name = false;
            wanted.search.offer({*numeric}, false, timers_.now());
            continue;
        }
        if (const auto before = applied.find(peer.public_key); before != applied.end())
            wanted.search = EndpointSearch(before->second);
        wanted.asking = has_names_ = true;
    }
    const std::weak_ptr<bool> alive = alive_;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
        if (wanted_[i].asking) ask(i);
        // An answer at once may have called `ready`, which may have destroyed this.
        if (alive.expired()) return;
    }
    if (!ready_) return;
    if (all_asked()) return conclude();
    timer_ = timers_.after(timing_.endpoint_wait, [this] { conclude(); });
}

void EndpointWatch::conclude() {
    // Moved out first: `ready` may destroy this.
    const auto ready = std::exchange(ready_, nullptr);
    timer_.reset();
    if (ready) ready();
}

bool EndpointWatch::all_asked() const {
    return std::none_of(wanted_.begin(), wanted_.end(), [](const Wanted& wanted) { return wanted.asking; });
}

// ---- asking

void EndpointWatch::ask(std::size_t index) {
    Wanted& wanted = wanted_[index];
    wanted.asking = true;
    wanted.asked = timers_.now();
    wanted.next_ask.reset();
    const std::weak_ptr<bool> alive = alive_;
    auto query =
        resolver_.resolve(wanted.spec, path_, [this, index, alive](Result<ports::Resolution> answer) {
            if (!alive.expired()) answered(index, std::move(answer));
        });
    if (!alive.expired()) wanted_[index].query = std::move(query);
}

void EndpointWatch::answered(std::size_t index, Result<ports::Resolution> answer) {
    Wanted& wanted = wanted_[index];
    const Instant now = timers_.now();
    const bool was_problem = !wanted.problem.empty();
    wanted.asking = false;
    bool changed = false;
    if (answer && !answer->addresses.empty()) {
        wanted.problem.clear();
        wanted.delay = timing_.endpoint_retry;
        const auto before = wanted.search.chosen();
        changed = wanted.search.offer(std::move(answer->addresses),
                                      timing_.endpoint_refresh == EndpointRefresh::kFollow, now);
        if (changed && before)
            log::notice("endpoint {} is at {} now, no longer at {}", wanted.spec.text,
                        wanted.search.chosen()->to_string(), before->to_string());
        if (refreshes())
            wanted.next_ask = now + std::clamp<Duration>(answer->ttl.value_or(kUnknownTtl),
                                                         timing_.endpoint_ttl_min, std::chrono::hours(24));
    } else {
        wanted.problem = answer ? "the name has no address" : answer.error().message;
        if (wanted.delay == Duration::zero()) wanted.delay = timing_.endpoint_retry;
        if (!wanted.search.chosen() || refreshes()) wanted.next_ask = now + wanted.delay;
        wanted.delay = std::min<Duration>(wanted.delay * 2, timing_.endpoint_retry_max);
    }
    if (ready_) {
        if (all_asked()) conclude();
        return;
    }
    if (!upkeep_) return;
    if (was_problem == wanted.problem.empty()) upkeep_->noted();
    if (wanted.next_ask && (!armed_ || *wanted.next_ask < *armed_)) arm(*wanted.next_ask);
    if (!changed) return;
    // A copy: what it calls may replace or destroy this.
    const auto call = upkeep_->changed;
    call();
}

// ---- upkeep

void EndpointWatch::keep_watch(Upkeep upkeep) {
    upkeep_ = std::move(upkeep);
    if (follows_names()) next_look_ = timers_.now() + kLookPeriod;
    plan_second_look();
    schedule();
}

void EndpointWatch::nudge() {
    hurry(kNudgeSpacing);
}

void EndpointWatch::doubt_all() {
    hurry(timing_.endpoint_retry);
}

void EndpointWatch::hurry(Duration spacing) {
    if (!upkeep_) return;
    const Instant now = timers_.now();
    for (Wanted& wanted : wanted_) {
        if (!wanted.is_name) continue;
        const bool missing = !wanted.search.chosen();
        if (wanted.asking || (!missing && !refreshes())) continue;
        wanted.delay = timing_.endpoint_retry;
        const Duration pause = missing ? Duration(timing_.endpoint_retry) : spacing;
        sooner(wanted.next_ask, wanted.asked ? std::max(now, *wanted.asked + pause) : now);
    }
    if (follows_names())
        sooner(next_look_, last_look_ ? std::max(now, *last_look_ + kLookPeriodInDoubt) : now);
    schedule();
}

// One timer for whatever comes first.
void EndpointWatch::schedule() {
    if (!upkeep_) return;
    std::optional<Instant> first = next_look_;
    for (const Wanted& wanted : wanted_)
        if (wanted.next_ask && !wanted.asking) sooner(first, *wanted.next_ask);
    timer_.reset();
    armed_.reset();
    if (first) arm(*first);
}

void EndpointWatch::arm(Instant at) {
    armed_ = at;
    timer_ = timers_.after(std::max(Duration::zero(), Duration(at - timers_.now())), [this] { work(); });
}

void EndpointWatch::work() {
    const std::weak_ptr<bool> alive = alive_;
    const Instant now = timers_.now();
    const bool changed = next_look_ && *next_look_ <= now && look();
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
        if (wanted_[i].asking || !wanted_[i].next_ask || *wanted_[i].next_ask > now) continue;
        ask(i);
        if (alive.expired() || !upkeep_) return; // an answer at once
    }
    schedule();
    if (!changed) return;
    const auto call = upkeep_->changed;
    call();
}

// True if another address is to be tried.
bool EndpointWatch::look() {
    const Instant began = timers_.now();
    const auto device = upkeep_->look();
    const Instant now = timers_.now();
    last_look_ = now;
    bool changed = false;
    bool doubt = false;
    if (device)
        for (const WgPeer& peer : device->peers) {
            const auto found = places_.find(peer.public_key);
            if (found == places_.end()) continue;
            Wanted& wanted = wanted_[found->second];
            if (peer.endpoint && upkeep_->passes && !upkeep_->passes(*peer.endpoint))
                changed = wanted.search.displaced() || changed;
            if (!wanted.is_name || !refreshes()) continue;
            const auto before = wanted.search.chosen();
            if (wanted.search.observe(peer, now, clock_.wall())) {
                changed = true;
                log::notice("endpoint {}: no answer from {}; trying {}", wanted.spec.text,
                            before ? before->to_string() : "nowhere", wanted.search.chosen()->to_string());
            }
            doubt = doubt || wanted.search.unanswered();
            if (wanted.search.take_wish_to_look_up() && wanted.asked)
                sooner(wanted.next_ask, std::max(now, *wanted.asked + timing_.endpoint_retry));
        }
    next_look_.reset();
    if (follows_names())
        next_look_ =
            now + std::max<Duration>(doubt ? kLookPeriodInDoubt : kLookPeriod, kLookShare * (now - began));
    return changed;
}

// Where nothing else would be seen of it: behind a kill switch a device that roamed back is lost.
void EndpointWatch::plan_second_look() {
    if (!second_look_ || !upkeep_ || !upkeep_->passes) return;
    second_look_ = false;
    sooner(next_look_, timers_.now() + kSecondLook);
}

// ---- what came of it

plan::ResolvedEndpoints EndpointWatch::resolved() const {
    plan::ResolvedEndpoints endpoints;
    for (const Wanted& wanted : wanted_)
        if (wanted.search.chosen()) endpoints.emplace(wanted.peer, *wanted.search.chosen());
    return endpoints;
}

std::set<PublicKey> EndpointWatch::moved() const {
    std::set<PublicKey> peers;
    for (const Wanted& wanted : wanted_)
        if (wanted.search.moved()) peers.insert(wanted.peer);
    return peers;
}

bool EndpointWatch::differs_from(const plan::ResolvedEndpoints& applied) const {
    return std::any_of(wanted_.begin(), wanted_.end(), [&](const Wanted& wanted) {
        return wanted.search.moved() || (wanted.search.chosen() && applied.count(wanted.peer) == 0);
    });
}

void EndpointWatch::applied(const plan::ResolvedEndpoints& endpoints, bool replaced) {
    for (Wanted& wanted : wanted_)
        if (const auto found = endpoints.find(wanted.peer); found != endpoints.end())
            wanted.search.applied(found->second);
    if (!replaced) return;
    second_look_ = true;
    plan_second_look();
    schedule();
}

bool EndpointWatch::allow_ipv6(bool allowed) {
    bool changed = false;
    for (Wanted& wanted : wanted_)
        changed = wanted.search.allow_ipv6(allowed) || changed;
    return changed;
}

std::vector<std::string> EndpointWatch::problems() const {
    std::vector<std::string> problems;
    for (const Wanted& wanted : wanted_) {
        const std::string why = wanted.problem.empty() ? "" : " (" + wanted.problem + ")";
        if (!wanted.search.chosen())
            problems.push_back("endpoint " + wanted.spec.text + " has no address yet" + why +
                               "; it is asked for again");
        else if (!why.empty())
            problems.push_back("endpoint " + wanted.spec.text + " stays at " +
                               wanted.search.chosen()->to_string() + ": its name does not resolve" + why);
    }
    return problems;
}

} // namespace wgd::control
