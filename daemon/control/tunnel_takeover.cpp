// SPDX-License-Identifier: MIT
// A tunnel that was there before the daemon: taken over, or finished as its record says it was begun.
#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

void Tunnel::recover(Record record, std::optional<LoadedProfile> loaded, std::function<void()> done) {
    record_ = std::move(record);
    has_record_ = true;
    loaded_ = std::move(loaded);
    loaded_is_applied_ = loaded_ && loaded_->digest == record_.profile_digest;

    const auto snapshot = look({});
    if (!snapshot) {
        last_error_ = snapshot.error().message;
        enter(TunnelState::kFailed);
        return done();
    }
    if (!has_link(*snapshot) || record_.intent == Record::Intent::kDown) {
        if (record_.intent != Record::Intent::kDown)
            log::notice("{}: the link is gone; what it left behind is removed", name_.str());
        const bool going_down = record_.intent == Record::Intent::kDown;
        return clear_leftovers(
            guarded([going_down, done = std::move(done)](Tunnel& self, Result<void> cleared) {
                if (cleared && going_down)
                    return self.open_lock(self.guarded([done](Tunnel& opening, const Result<void>& opened) {
                        if (opened) opening.vanish();
                        done();
                    }));
                if (cleared) {
                    self.last_error_ = "its link was gone when the daemon was started anew";
                    self.vanish_unless_locked();
                } else {
                    self.last_error_ = cleared.error().message;
                    log::error("{}: {}", self.name_.str(), self.last_error_);
                    self.enter(TunnelState::kFailed);
                }
                done();
            }));
    }

    const bool unfinished = record_.intent == Record::Intent::kReconcile;
    profile_changed_ = !loaded_is_applied_;
    if (loaded_is_applied_) {
        log::info("{}: taken over", name_.str());
    } else {
        log::notice("{}: taken over as it is; its profile {} since it came up", name_.str(),
                    loaded_ ? "has changed" : "has become unusable");
        if (unfinished)
            last_error_ = "it was being changed when the daemon ended, and its profile has changed since; a "
                          "reload finishes it";
    }
    watch_datapath();
    enter(TunnelState::kUp);
    // Whatever was half done is seen as a difference and finished by reconcile().
    dns_due_ = true; // what a resolver holds is not known to a new daemon
    dns_known_ = false;
    if (loaded_is_applied_) look_after();
    done();
}

void Tunnel::recover_failed(Outcome outcome) {
    residue_ = std::move(outcome.residue);
    residue_ops_ = std::move(outcome.residue_ops);
    last_error_ = outcome.error ? outcome.error->message : "";
    enter(TunnelState::kFailed);
}

} // namespace wgd::control
