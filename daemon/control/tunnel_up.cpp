// SPDX-License-Identifier: MIT
// A tunnel coming up: what is left of an earlier life goes, names are resolved, then one transaction.
#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {
namespace {

Error cancelled(const ProfileName& name) {
    return {ErrorCode::kCancelled, "'" + name.str() + "' was interrupted; what had been done is undone", 0};
}

} // namespace

// The kill switch stays closed, as it does whenever an up does not succeed.
bool Tunnel::cancel() {
    if (reload_) {
        cancel_reload("the reload of '" + name_.str() + "' was interrupted; nothing had been done");
        return true;
    }
    if (up_reply_ && state_ == TunnelState::kResolving) {
        log::notice("{}: interrupted", name_.str());
        fail_up(cancelled(name_));
        return true;
    }
    if (applier_.cancel(cancelled(name_))) {
        log::notice("{}: interrupted", name_.str());
        return true;
    }
    if (!up_reply_) return false;
    cancelled_ = true; // seen when the kill switch is closed
    return true;
}

void Tunnel::up(LoadedProfile loaded, BackendChoice choice, Reply<TunnelView> reply) {
    loaded_ = std::move(loaded);
    up_reply_ = std::move(reply);
    last_error_.clear();
    rebuild_timer_.reset();
    clear_leftovers(guarded([choice = std::move(choice)](Tunnel& self, Result<void> cleared) {
        if (!cleared) return self.fail_up(std::move(cleared).error());
        self.record_ = Record{};
        self.record_.backend = choice.backend;
        self.record_.backend_reason = choice.reason;
        // From here on the kill switch is closed, and stays so however this goes.
        self.busy_ = true;
        self.close_lock(self.guarded([](Tunnel& locked, Result<void> closed) {
            locked.busy_ = false;
            if (std::exchange(locked.cancelled_, false)) return locked.fail_up(cancelled(locked.name_));
            if (!closed) return locked.fail_up(std::move(closed).error());
            locked.enter(TunnelState::kResolving);
            locked.resolve_and_apply();
        }));
    }));
}

void Tunnel::resolve_and_apply() {
    endpoints_ = make_endpoint_watch(settings_);
    endpoints_->start(loaded_->profile, {}, guarded([](Tunnel& self) { self.apply_up(); }));
}

void Tunnel::apply_up() {
    busy_ = true;
    enter(TunnelState::kApplying);
    auto prepared = prepare();
    if (!prepared) {
        busy_ = false;
        return fail_up(std::move(prepared).error());
    }
    pending_ = prepared->record;
    plan_warnings_ = prepared->plan.warnings;

    Transaction up = transaction(std::move(prepared->plan), true,
                                 [desired = std::move(prepared->desired)](Tunnel& self) -> Result<void> {
                                     WGD_TRY(self.verify(desired));
                                     auto saved =
                                         self.ports_.journal.save_record(self.name_, to_json(*self.pending_));
                                     // A write that failed half-way must not look like success to a recovery
                                     // in the middle of the undoing.
                                     if (!saved) (void)self.ports_.journal.remove_record(self.name_);
                                     return saved;
                                 });
    up.cancellable = true;
    up.on_rollback = guarded([](Tunnel& self) { self.enter(TunnelState::kRollingBack); });
    applier_.run(std::move(up), guarded([](Tunnel& self, Outcome outcome) {
                     self.busy_ = false;
                     if (!outcome.error) return self.came_up();
                     self.pending_.reset();
                     self.residue_ = std::move(outcome.residue);
                     self.residue_ops_ = std::move(outcome.residue_ops);
                     self.fail_up(std::move(*outcome.error));
                 }));
}

void Tunnel::fail_up(Error error) {
    const auto reply = std::exchange(up_reply_, nullptr);
    endpoints_.reset();
    lost_while_busy_.clear();
    last_error_ = error.message;
    if (residue_ops_.empty() && !has_record_ && !rebuilding_)
        vanish_unless_locked(); // nothing else is left of it
    else
        enter(TunnelState::kFailed);
    error.message = last_error_;
    if (reply) reply(fail(std::move(error)));
}

void Tunnel::came_up() {
    record_ = std::move(*pending_);
    pending_.reset();
    has_record_ = true;
    loaded_is_applied_ = true;
    settle_lock();
    watch_datapath();
    watch_endpoints();
    watch_paths();
    enter(TunnelState::kUp);
    log::info("{}: up ({}: {})", name_.str(), plan::to_string(record_.backend), record_.backend_reason);
    if (const auto reply = std::exchange(up_reply_, nullptr)) reply(view());
    if (!lost_while_busy_.empty())
        return lost(std::exchange(lost_while_busy_, {}), std::exchange(lost_datapath_, false));
    reconcile(); // names that answered while the steps were taken
}

} // namespace wgd::control
