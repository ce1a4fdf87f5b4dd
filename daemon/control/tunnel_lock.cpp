// SPDX-License-Identifier: MIT
// A tunnel and the host's kill switch: closed before the first step of `up`, told of every endpoint before a
// packet goes there, and opened by nothing but `down`.
#include <algorithm>

#include "common/base/log.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

plan::LockMode Tunnel::wanted_lock() const {
    if (settings_.kill_switch != plan::LockMode::kOff) return settings_.kill_switch;
    return host_.kill_switch().lockdown();
}

KillSwitch::Hold Tunnel::hold_for(const Record& record) const {
    KillSwitch::Hold hold;
    hold.allow_lan = wanted_lock() == plan::LockMode::kLan;
    hold.passes.link = name_.str();
    hold.passes.fwmark = record.mark.value_or(0);
    for (const auto& [peer, endpoint] : record.endpoints)
        hold.passes.endpoints.push_back(endpoint);
    hold.passes.excluded = settings_.exclude;
    hold.passes.probes = probes_paths();
    if (loaded_)
        hold.passes.asks_names =
            std::any_of(loaded_->profile.peers.begin(), loaded_->profile.peers.end(),
                        [](const ProfilePeer& peer) { return peer.endpoint && !peer.endpoint->numeric(); });
    return hold;
}

// The mark is chosen here and not with the routes: the first packet that must pass, a question for the
// endpoint's name, bears it already.
void Tunnel::close_lock(KillSwitch::Done done) {
    if (wanted_lock() == plan::LockMode::kOff) return done({});
    const auto given = loaded_->profile.fwmark.value_or(0);
    const auto& holds = host_.kill_switch().all();
    if (const auto held = holds.find(name_); given != 0) {
        record_.mark = given;
    } else if (held != holds.end()) {
        record_.mark = held->second.passes.fwmark;
    } else {
        auto snapshot = look({});
        if (!snapshot) return done(fail(std::move(snapshot).error()));
        auto mark = plan::allocate_mark(*snapshot);
        if (!mark) return done(fail(std::move(mark).error()));
        record_.mark = *mark;
    }
    const bool closed_already = host_.kill_switch().holds(name_);
    host_.kill_switch().close(
        name_, hold_for(record_),
        [this, weak = weak_from_this(), closed_already, done = std::move(done)](Result<void> closed) {
            const auto self = weak.lock();
            if (!self) return;
            if (closed && !closed_already) log::info("{}: the kill switch is closed", name_.str());
            if (!closed)
                closed = fail(std::move(closed).error().with_context("the kill switch cannot be closed"));
            done(std::move(closed));
        });
}

// What Transaction::before does: the peers' old and new endpoints pass while the tunnel changes over. It is
// closed here when a reload asks for it, and never opened by one.
std::function<void(KillSwitch::Done)> Tunnel::widen_lock(const Record& next) {
    const auto& holds = host_.kill_switch().all();
    const auto held = holds.find(name_);
    if (held == holds.end() && wanted_lock() == plan::LockMode::kOff) return nullptr;
    KillSwitch::Hold hold = hold_for(next);
    if (held != holds.end())
        for (const Endpoint& old : held->second.passes.endpoints)
            if (std::find(hold.passes.endpoints.begin(), hold.passes.endpoints.end(), old) ==
                hold.passes.endpoints.end())
                hold.passes.endpoints.push_back(old);
    return [this, weak = weak_from_this(), hold = std::move(hold)](KillSwitch::Done done) {
        if (const auto self = weak.lock()) host_.kill_switch().close(name_, hold, std::move(done));
    };
}

// Afterwards only the ones in use.
void Tunnel::settle_lock() {
    if (!host_.kill_switch().holds(name_)) return;
    host_.kill_switch().close(name_, hold_for(record_), [name = name_](const Result<void>& settled) {
        if (!settled) log::warning("{}: {}", name.str(), settled.error().message);
    });
}

void Tunnel::open_lock(KillSwitch::Done done) {
    if (!host_.kill_switch().holds(name_)) return done({});
    host_.kill_switch().open(name_, guarded([done = std::move(done)](Tunnel& self, Result<void> opened) {
                                 if (opened) {
                                     log::info("{}: the kill switch {}", self.name_.str(),
                                               self.host_.kill_switch().lockdown() == plan::LockMode::kOff
                                                   ? "lets go"
                                                   : "stays closed (lockdown)");
                                     return done({});
                                 }
                                 Error error =
                                     std::move(opened).error().with_context("the kill switch stays closed");
                                 self.last_error_ = error.message;
                                 self.enter(TunnelState::kFailed);
                                 done(fail(std::move(error)));
                             }));
}

// Nothing of the tunnel is there, or can be: it goes, unless it has to stay to tell that the switch is
// closed.
void Tunnel::vanish_unless_locked() {
    if (!host_.kill_switch().holds(name_)) return vanish();
    last_error_ += (last_error_.empty() ? "" : "; ") +
                   ("the kill switch stays closed until `wgctl down " + name_.str() + "`");
    enter(TunnelState::kFailed);
}

void Tunnel::hold_lock() {
    if (state_ != TunnelState::kUp || host_.kill_switch().holds(name_)) return;
    if (!record_.mark)
        return log::error("{}: the closed kill switch cuts it off until it is brought down and up again",
                          name_.str());
    host_.kill_switch().close(name_, hold_for(record_), [name = name_](const Result<void>& held) {
        if (!held) log::error("{}: {}", name.str(), held.error().message);
    });
}

void Tunnel::note_lock_repaired(const std::string& what) {
    static_cast<void>(drift_.repaired(std::string(plan::kLockTable), what, ports_.timers.now()));
    host_.tunnel_changed(*this);
}

void Tunnel::recover_locked() {
    last_error_ = "the daemon was started anew and the tunnel was not up";
    log::warning("{}: {}", name_.str(), last_error_);
    vanish_unless_locked();
}

} // namespace wgd::control
