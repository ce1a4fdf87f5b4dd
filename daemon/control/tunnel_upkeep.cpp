// SPDX-License-Identifier: MIT
// A tunnel staying up: brought in line with its profile again, and what happens when its link is lost.
#include <algorithm>

#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

// Brings the system in line with the profile again: today for endpoints that resolved late; the same
// operation serves a reload.
void Tunnel::reconcile() {
    if (state_ != TunnelState::kUp || busy_ || !loaded_ || !loaded_is_applied_ || !endpoints_) return;
    const auto known = endpoints_->resolved(true);
    if (std::all_of(known.begin(), known.end(),
                    [&](const auto& entry) { return record_.endpoints.count(entry.first) != 0; }))
        return;
    auto prepared = prepare();
    if (!prepared) {
        log::warning("{}: {}", name_.str(), prepared.error().message);
        last_error_ = prepared.error().message;
        return enter(TunnelState::kUp);
    }
    plan_warnings_ = prepared->plan.warnings;
    if (prepared->plan.empty() && prepared->record == record_) return;
    // After a crash in the middle recovery goes forward: the undo of a device's configuration holds keys,
    // which are never written.
    Record begun = record_;
    begun.intent = Record::Intent::kReconcile;
    if (auto saved = ports_.journal.save_record(name_, to_json(begun)); !saved) {
        log::warning("{}: {}", name_.str(), saved.error().message);
        return;
    }
    pending_ = prepared->record;
    busy_ = true;
    enter(TunnelState::kReapplying);
    Transaction reapply =
        transaction(std::move(prepared->plan), false,
                    [desired = std::move(prepared->desired)](Tunnel& self) -> Result<void> {
                        WGD_TRY(self.verify(desired));
                        return self.ports_.journal.save_record(self.name_, to_json(*self.pending_));
                    });
    reapply.on_rollback = guarded([](Tunnel& self) { self.enter(TunnelState::kRollingBack); });
    applier_.run(std::move(reapply), guarded([](Tunnel& self, Outcome outcome) {
                     self.busy_ = false;
                     if (!outcome.error) {
                         self.record_ = std::move(*self.pending_);
                         log::info("{}: reapplied", self.name_.str());
                     } else {
                         self.last_error_ = outcome.error->message;
                         log::warning("{}: {}", self.name_.str(), self.last_error_);
                         self.residue_ = std::move(outcome.residue);
                         (void)self.ports_.journal.save_record(self.name_, to_json(self.record_));
                     }
                     self.pending_.reset();
                     self.enter(self.residue_.empty() ? TunnelState::kUp : TunnelState::kFailed);
                     if (!self.lost_while_busy_.empty())
                         self.lost(std::exchange(self.lost_while_busy_, {}),
                                   std::exchange(self.lost_datapath_, false));
                     else if (!outcome.error)
                         self.reconcile(); // names that answered meanwhile
                 }));
}

void Tunnel::world_changed() {
    if (state_ == TunnelState::kUp && endpoints_) endpoints_->nudge();
}

void Tunnel::lost(const std::string& why, bool datapath) {
    if (busy_) {
        // Whatever is running will notice by itself if it needs the link; if it succeeds all the same, look
        // again.
        lost_while_busy_ = why;
        lost_datapath_ = datapath;
        return;
    }
    if (state_ == TunnelState::kFailed && datapath && !last_error_.empty()) {
        last_error_ = why; // the better reason for what we know already
        return enter(TunnelState::kFailed);
    }
    if (state_ != TunnelState::kUp) return;
    if (!datapath) {
        // The news may be of an earlier link of the same name.
        const auto snapshot = look({});
        if (snapshot && has_link(*snapshot)) return;
    }
    log::error("{}: {}", name_.str(), why);
    last_error_ = why;
    endpoints_.reset();
    enter(TunnelState::kFailed);
    // What depended on the link goes: rules into an empty table, the sysctl.
    clear_leftovers(guarded([](Tunnel& self, Result<void> cleared) {
        if (cleared) return self.enter(TunnelState::kFailed);
        self.last_error_ += "; " + cleared.error().message;
        log::error("{}: {}", self.name_.str(), cleared.error().message);
        self.enter(TunnelState::kFailed);
    }));
}

} // namespace wgd::control
