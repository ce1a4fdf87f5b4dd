// SPDX-License-Identifier: MIT
// A tunnel going down: undo that is still owed, then everything that its record says is there.
#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

void Tunnel::down(Reply<void> reply) {
    if (busy_)
        return reply(
            fail(ErrorCode::kBusy, "tunnel '" + name_.str() + "' is " + std::string(to_string(state_))));
    if (state_ == TunnelState::kResolving) {
        // Nothing was touched yet.
        const auto cancelled = std::exchange(up_reply_, nullptr);
        endpoints_.reset();
        busy_ = true;
        return open_lock(guarded([cancelled, reply = std::move(reply)](Tunnel& self, Result<void> opened) {
            self.busy_ = false;
            if (opened) self.vanish();
            if (cancelled)
                cancelled(fail(ErrorCode::kCancelled,
                               "'" + self.name_.str() + "' was brought down while it was coming up"));
            reply(std::move(opened));
        }));
    }
    rebuild_timer_.reset();
    cancel_reload("'" + name_.str() + "' was brought down while it was reloading");
    const TunnelState before = state_;
    endpoints_.reset();
    paths_.reset();
    clear_leftovers(guarded([before, reply = std::move(reply)](Tunnel& self, Result<void> cleared) {
        if (!cleared) {
            self.last_error_ = cleared.error().message;
            self.enter(self.residue_.empty() ? before : TunnelState::kFailed);
            // It is up as before; go on looking after it.
            if (self.state_ == TunnelState::kUp && self.loaded_ && self.loaded_is_applied_) self.look_after();
            return reply(std::move(cleared));
        }
        self.busy_ = true;
        self.open_lock(self.guarded([reply](Tunnel& opening, Result<void> opened) {
            opening.busy_ = false;
            if (!opened) return reply(std::move(opened));
            log::info("{}: down", opening.name_.str());
            opening.vanish();
            reply({});
        }));
    }));
}

// Takes away everything that is ours: undo that is still owed, then whatever the record says is there.
void Tunnel::clear_leftovers(std::function<void(Result<void>)> done) {
    if (residue_ops_.empty()) return remove(std::move(done));
    busy_ = true;
    applier_.undo(name_, residue_ops_, keeper(),
                  guarded([done = std::move(done)](Tunnel& self, Outcome outcome) {
                      self.busy_ = false;
                      self.residue_ = std::move(outcome.residue);
                      self.residue_ops_ = std::move(outcome.residue_ops);
                      if (outcome.error) return done(fail(std::move(*outcome.error)));
                      self.remove(done);
                  }));
}

Result<plan::Plan> Tunnel::steps_to_absence() {
    auto snapshot = look({});
    WGD_TRY(snapshot);
    return plan::diff(plan::derive_absent(name_, policy()), *snapshot);
}

// Without a record there may still be a namespace, which was in use when the tunnel was lost: by the very
// program that deleted the link.
void Tunnel::remove(std::function<void(Result<void>)> done) {
    if (!has_record_ && !is_in_namespace()) return done({});
    auto steps = steps_to_absence();
    if (!steps) return done(fail(std::move(steps).error()));
    if (!has_record_ && steps->empty()) return done({});
    const Record before = record_;
    const auto go_back = [before](Tunnel& self) {
        self.record_ = before;
        if (!self.has_record_) return;
        (void)self.ports_.journal.save_record(self.name_, to_json(before));
        self.watch_datapath();
    };
    // From here on recovery finishes the removal instead of undoing it.
    record_.intent = Record::Intent::kDown;
    if (has_record_)
        if (auto saved = ports_.journal.save_record(name_, to_json(record_)); !saved) {
            go_back(*this);
            return done(std::move(saved));
        }

    ports_.monitor.unwatch_datapath(name_.str());
    busy_ = true;
    if (state_ == TunnelState::kUp) enter(TunnelState::kRemoving);
    // What is to be absent is derived anew at the end: others may have come to need a sysctl.
    Transaction removal = transaction(std::move(*steps), false, [](Tunnel& self) {
        return self.verify(plan::derive_absent(self.name_, self.policy()));
    });
    removal.skip = keeper();
    applier_.run(std::move(removal),
                 guarded([go_back, done = std::move(done)](Tunnel& self, Outcome outcome) {
                     self.busy_ = false;
                     self.lost_while_busy_.clear(); // that was us
                     self.residue_ = std::move(outcome.residue);
                     if (outcome.error) {
                         if (self.residue_.empty()) go_back(self);
                         return done(fail(std::move(*outcome.error)));
                     }
                     self.forget_record();
                     done({});
                 }));
}

void Tunnel::forget_record() {
    // What a tunnel that failed was carried by is still worth telling.
    Record nothing;
    nothing.backend = record_.backend;
    nothing.backend_reason = record_.backend_reason;
    record_ = std::move(nothing);
    if (!std::exchange(has_record_, false)) return;
    // Left behind, the record of a removal is worked off again at the next start: harmless.
    if (auto removed = ports_.journal.remove_record(name_); !removed)
        log::warning("{}: {}", name_.str(), removed.error().message);
}

} // namespace wgd::control
