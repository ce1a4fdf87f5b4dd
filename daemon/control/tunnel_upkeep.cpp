// SPDX-License-Identifier: MIT
// A tunnel staying up: brought in line with its profile again.
#include <algorithm>

#include "common/base/log.hpp"
#include "daemon/control/endpoint_choice.hpp"
#include "daemon/control/tunnel.hpp"
#include "daemon/plan/device_change.hpp"

namespace wgd::control {

// Brings the system in line with the profile again: endpoints that resolved late, what a crash left half
// done.
void Tunnel::reconcile() {
    if (state_ != TunnelState::kUp || busy_ || reload_ || !loaded_ || !loaded_is_applied_ || !endpoints_)
        return;
    if (!after_repair_.empty()) return; // somebody's turn
    const EndpointChoice chosen =
        choose_endpoints(loaded_->profile, endpoints_->resolved(), endpoints_->moved(), record_);
    const bool dns_due = std::exchange(dns_due_, false);
    if (!dns_due && chosen.endpoints == record_.endpoints && chosen.renewed.empty() &&
        record_.intent == Record::Intent::kUp)
        return;
    const bool unfinished = record_.intent == Record::Intent::kReconcile;
    auto prepared = unfinished ? prepare() : prepare_upkeep();
    if (!prepared) {
        log::warning("{}: {}", name_.str(), prepared.error().message);
        last_error_ = prepared.error().message;
        return enter(TunnelState::kUp);
    }
    if (!unfinished && prepared->seen.links.count(name_.str()) == 0) return link_gone();
    plan_warnings_ = prepared->plan.warnings;
    if (prepared->plan.empty() && prepared->record == record_)
        return endpoints_->applied(record_.endpoints, false);
    // Two who write the same file in turns must not do so for ever.
    if (std::exchange(dns_known_, true))
        for (const plan::Step& step : prepared->plan.steps)
            if (std::holds_alternative<plan::SetDns>(step.act)) note_drift(step.act, prepared->record);
    if (const auto chance = drift_.next_chance(ports_.timers.now())) look_soon(*chance);
    reapply(std::move(*prepared), false, guarded([](Tunnel& self, Outcome outcome) {
                if (!outcome.error) {
                    log::info("{}: reapplied", self.name_.str());
                    return self.reconcile(); // names that answered meanwhile
                }
                self.last_error_ = outcome.error->message;
                log::warning("{}: {}", self.name_.str(), self.last_error_);
            }));
}

// What is not as it was made, without what somebody added and without what has to wait (Drift).
Result<Tunnel::Prepared> Tunnel::prepare_upkeep() {
    auto prepared = prepare(true);
    WGD_TRY(prepared);
    const Instant now = ports_.timers.now();
    auto& steps = prepared->plan.steps;
    steps.erase(std::remove_if(steps.begin(), steps.end(),
                               [&](const plan::Step& step) {
                                   if (!is_repair(step.act)) return true;
                                   std::string object = plan::describe(step.act);
                                   if (drift_.may_repair(object, now)) return false;
                                   prepared->waiting.insert(std::move(object));
                                   return true;
                               }),
                steps.end());
    return prepared;
}

// Takes the steps to a tunnel that is up. `done` is called in the state that this led to, if the tunnel was
// not lost meanwhile.
void Tunnel::reapply(Prepared prepared, bool asked_for, std::function<void(Outcome)> done) {
    // After a crash in the middle recovery goes forward: the undo of a device's configuration holds keys,
    // which are never written. What it finds may be ours by what was or by what was to be.
    const Record& next = prepared.record;
    Record begun = record_;
    begun.intent = Record::Intent::kReconcile;
    begun.profile_digest = next.profile_digest;
    if (next.mark) begun.mark = next.mark;
    for (const plan::Rule& rule : next.rules)
        if (std::find(begun.rules.begin(), begun.rules.end(), rule) == begun.rules.end())
            begun.rules.push_back(rule);
    begun.tables.insert(next.tables.begin(), next.tables.end());
    begun.original_sysctls.insert(next.original_sysctls.begin(), next.original_sysctls.end());
    begun.fwmark_given = record_.fwmark_given || next.fwmark_given;
    if (auto saved = ports_.journal.save_record(name_, to_json(begun)); !saved) {
        (void)ports_.journal.save_record(name_, to_json(record_));
        Outcome outcome;
        outcome.error = std::move(saved).error();
        return done(std::move(outcome));
    }
    pending_ = std::move(prepared.record);
    busy_ = true;
    repairing_ = !asked_for;
    enter(TunnelState::kReapplying);
    // Shared, for it holds keys and is not copied.
    const bool replaced = prepared.replaces_endpoints;
    const auto known = std::make_shared<KnownDevice>();
    known->device = plan::device_after(std::move(prepared.seen.device), prepared.plan);
    if (known->device) known->took = prepared.took;
    Transaction reapplying =
        transaction(std::move(prepared.plan), false,
                    [desired = std::move(prepared.desired), waiting = std::move(prepared.waiting),
                     known](Tunnel& self) -> Result<void> {
                        WGD_TRY(self.verify(desired, waiting, std::move(*known)));
                        return self.ports_.journal.save_record(self.name_, to_json(*self.pending_));
                    });
    reapplying.cancellable = asked_for;
    reapplying.on_rollback = guarded([](Tunnel& self) { self.enter(TunnelState::kRollingBack); });
    applier_.run(std::move(reapplying),
                 guarded([replaced, done = std::move(done)](Tunnel& self, Outcome outcome) {
                     self.busy_ = self.repairing_ = false;
                     if (!outcome.error) {
                         self.record_ = std::move(*self.pending_);
                         if (self.endpoints_) self.endpoints_->applied(self.record_.endpoints, replaced);
                     } else {
                         self.residue_ = outcome.residue;
                         self.reading_.reset();
                         (void)self.ports_.journal.save_record(self.name_, to_json(self.record_));
                     }
                     self.pending_.reset();
                     self.settle_lock();
                     self.enter(self.residue_.empty() ? TunnelState::kUp : TunnelState::kFailed);
                     if (!self.lost_while_busy_.empty()) {
                         const std::string why = std::exchange(self.lost_while_busy_, {});
                         self.lost(why, std::exchange(self.lost_datapath_, false));
                         if (self.state_ != TunnelState::kUp && !outcome.error)
                             outcome.error = Error{ErrorCode::kCancelled, why, 0};
                     }
                     done(std::move(outcome));
                     for (const auto& then : std::exchange(self.after_repair_, {}))
                         then();
                     self.reconcile();
                 }));
}

bool Tunnel::after_repair(std::function<void()> then) {
    if (!repairing_) return false;
    after_repair_.push_back(std::move(then));
    return true;
}

void Tunnel::dns_changed() {
    dns_due_ = true;
    reconcile();
}

void Tunnel::time_passed() {
    if (state_ == TunnelState::kUp && endpoints_) endpoints_->doubt_all();
    if (paths_) paths_->doubt_all();
    dns_changed(); // a DHCP client may have been busy
}

} // namespace wgd::control
