// SPDX-License-Identifier: MIT
// A tunnel looking after what is its own: somebody took a route away, flushed the firewall, set the link
// down; or its link or its datapath are gone altogether.
#include <algorithm>

#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {
namespace {

// Announcements come in bursts: a network manager that takes a link down says so a dozen times.
constexpr Duration kSettle = std::chrono::milliseconds(100);
// However much is announced (a routing daemon, a flapping link), looking takes at most this part of our time.
constexpr int kShareOfTime = 10;

constexpr Duration kFirstRebuild = std::chrono::seconds(1);
constexpr Duration kLastRebuild = std::chrono::minutes(5);

} // namespace

void Tunnel::world_changed() {
    if (state_ == TunnelState::kUp && endpoints_) endpoints_->nudge();
    look_soon(kSettle);
}

void Tunnel::look_soon(Duration delay) {
    if (!has_record_ || state_ == TunnelState::kFailed) return;
    const Instant now = ports_.timers.now();
    if (drift_looked_) delay = std::max(delay, Duration(*drift_looked_ + kShareOfTime * drift_took_ - now));
    if (drift_timer_ && drift_due_ <= now + delay) return;
    drift_due_ = now + delay;
    drift_timer_ = ports_.timers.after(delay, guarded([](Tunnel& self) {
                                           const auto spent = std::move(self.drift_timer_);
                                           self.look_for_drift();
                                       }));
}

void Tunnel::look_for_drift() {
    // What is under way looks for itself when it is done; what came after its look is looked at then.
    if (busy_ || reload_) return look_soon(kSettle);
    if (state_ != TunnelState::kUp || !loaded_ || !loaded_is_applied_ || !endpoints_) return;
    if (record_.intent != Record::Intent::kUp) return reconcile();
    const Instant begin = ports_.timers.now();
    auto prepared = prepare_upkeep();
    drift_looked_ = ports_.timers.now();
    drift_took_ = *drift_looked_ - begin;
    if (!prepared) {
        // Told once: it stays until somebody does something about it.
        if (last_error_ == prepared.error().message) return;
        last_error_ = prepared.error().message;
        log::warning("{}: {}", name_.str(), last_error_);
        return enter(TunnelState::kUp);
    }
    // Seen before it was announced, as it happens inside of a namespace.
    if (prepared->seen.links.count(name_.str()) == 0) return link_gone();
    if (const auto chance = drift_.next_chance(begin)) look_soon(*chance);
    if (prepared->plan.empty() && prepared->record == record_) return;
    for (const plan::Step& step : prepared->plan.steps)
        note_drift(step.act, prepared->record);
    reapply(std::move(*prepared), false, guarded([](Tunnel& self, Outcome outcome) {
                if (!outcome.error) return self.reconcile(); // names that answered meanwhile
                self.last_error_ = outcome.error->message;
                log::warning("{}: not put back: {}", self.name_.str(), self.last_error_);
                self.look_soon(kFirstRebuild);
            }));
}

// Before the repair, so that the log tells it in the order it happened.
void Tunnel::note_drift(const plan::Op& repair, const Record& next) {
    const auto* inside = std::get_if<plan::InNamespace>(&repair);
    const plan::Op& act = inside != nullptr ? inside->box->op : repair;
    // Endpoints follow their names; the mark is what only somebody else changes.
    if (const auto* device = std::get_if<plan::ConfigureDevice>(&act); device && !device->delta->fwmark)
        return;
    if (std::holds_alternative<plan::SetMtu>(act) && next.mtu != record_.mtu)
        return log::info("{}: the path to its endpoint has changed, its MTU follows: {}", name_.str(),
                         next.mtu);
    const std::string text = what_happened(repair);
    const Duration pause = drift_.repaired(plan::describe(repair), text, ports_.timers.now());
    if (pause == Duration::zero()) {
        log::notice("{}: {}; put back", name_.str(), text);
    } else {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause).count();
        log::warning("{}: {}, again and again; put back, but not once more in the next {} s: who does this?",
                     name_.str(), text, seconds);
    }
}

// ---- the link itself

void Tunnel::link_gone() {
    lost("its link '" + name_.str() + "' was deleted by somebody else", false);
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
    paths_.reset();
    drift_timer_.reset();
    reading_.reset();
    cancel_reload(why);
    enter(TunnelState::kFailed);
    // What depended on the link goes: rules into an empty table, the sysctl.
    clear_leftovers(guarded([](Tunnel& self, Result<void> cleared) {
        if (!cleared) {
            self.last_error_ += "; " + cleared.error().message;
            log::error("{}: {}", self.name_.str(), cleared.error().message);
        } else if (self.settings_.on_link_lost == OnLinkLost::kRebuild && self.loaded_ &&
                   self.loaded_is_applied_) {
            return self.rebuild_soon();
        }
        self.enter(TunnelState::kFailed);
    }));
}

// The first time at once; then after a pause that doubles, until it has been up for longer than the longest
// one.
void Tunnel::rebuild_soon() {
    const Instant now = ports_.timers.now();
    if (rebuilt_ && now - *rebuilt_ > kLastRebuild) rebuild_delay_ = Duration::zero();
    const Duration delay = rebuild_delay_;
    rebuild_delay_ = std::clamp(rebuild_delay_ * 2, kFirstRebuild, kLastRebuild);
    if (delay > Duration::zero()) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(delay).count();
        log::notice("{}: it is brought up again in {} s", name_.str(), seconds);
    }
    enter(TunnelState::kFailed);
    rebuild_timer_ = ports_.timers.after(delay, guarded([](Tunnel& self) {
                                             const auto spent = std::move(self.rebuild_timer_);
                                             self.rebuild();
                                         }));
}

void Tunnel::rebuild() {
    if (busy() || state_ != TunnelState::kFailed) return;
    rebuilt_ = ports_.timers.now();
    auto choice = choose_backend(settings_.backend, ports_.backends.probe());
    if (!choice) {
        last_error_ = choice.error().message;
        log::error("{}: {}", name_.str(), last_error_);
        return rebuild_soon();
    }
    rebuilding_ = true;
    const std::string why = last_error_;
    up(std::move(*loaded_), std::move(*choice), guarded([why](Tunnel& self, Result<TunnelView> view) {
           self.rebuilding_ = false;
           if (view) {
               log::notice("{}: brought up again ({})", self.name_.str(), why);
           } else {
               log::error("{}: not brought up again: {}", self.name_.str(), view.error().message);
               if (view.error().code != ErrorCode::kCancelled) self.rebuild_soon();
           }
       }));
}

} // namespace wgd::control
