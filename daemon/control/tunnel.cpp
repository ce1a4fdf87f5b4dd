// SPDX-License-Identifier: MIT
#include "daemon/control/tunnel.hpp"

#include <algorithm>

#include "common/base/log.hpp"
#include "common/model/marks.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::control {

Tunnel::Tunnel(const Ports& ports, TunnelHost& host, ProfileName name, TunnelSettings settings)
    : ports_(ports)
    , host_(host)
    , name_(std::move(name))
    , settings_(settings)
    , applier_(ports.executor, ports.journal) {}

void Tunnel::enter(TunnelState state) {
    state_ = state;
    log::debug("{}: {}", name_.str(), to_string(state));
    host_.tunnel_changed(*this);
}

// The end of this object: nobody finds it any more once the host has forgotten it.
void Tunnel::vanish() {
    endpoints_.reset();
    state_ = TunnelState::kDown;
    host_.tunnel_gone(*this);
}

// ---- looking and planning

Result<plan::Snapshot> Tunnel::look(const plan::ResolvedEndpoints& endpoints) {
    ports::SnapshotScope scope;
    scope.link = name_.str();
    for (const auto& [peer, endpoint] : endpoints)
        scope.endpoints.push_back(endpoint.address);
    scope.mark = record_.mark.value_or(0);
    scope.sysctls = {std::string(plan::kSrcValidMark)};
    if (has_record_) scope.sysctls.push_back(plan::promote_secondaries_key(name_.str()));
    for (const auto& [key, value] : record_.original_sysctls)
        if (key != plan::kSrcValidMark) scope.sysctls.push_back(key);
    auto snapshot = ports_.reader.read(scope);
    if (snapshot) host_.add_reservations(name_, *snapshot);
    return snapshot;
}

plan::Policy Tunnel::policy() const {
    plan::Policy policy;
    policy.backend = record_.backend;
    policy.owned_mark = record_.mark;
    policy.owned_rules = record_.rules;
    policy.original_sysctls = record_.original_sysctls;
    for (const auto& [key, value] : record_.original_sysctls)
        if (host_.needs_sysctl(name_, key)) policy.sysctls_shared.insert(key);
    policy.applied_endpoints = record_.endpoints;
    policy.applied_tables = record_.tables;
    policy.applied_hooks = record_.hooks;
    policy.allow_hooks = settings_.hooks;
    policy.hook_time_limit = static_cast<std::uint32_t>(settings_.hook_timeout.count());
    return policy;
}

Result<Tunnel::Prepared> Tunnel::prepare() {
    // Endpoints that were set once stay as they are, also where the peer roamed to; missing ones are filled
    // in.
    const auto wanted = [&](bool ipv6) {
        plan::ResolvedEndpoints endpoints = record_.endpoints;
        if (endpoints_) endpoints.merge(endpoints_->resolved(ipv6));
        return endpoints;
    };
    plan::ResolvedEndpoints endpoints = wanted(true);
    auto snapshot = look(endpoints);
    WGD_TRY(snapshot);
    if (!snapshot->ipv6_available) {
        endpoints = wanted(false);
        snapshot = look(endpoints);
        WGD_TRY(snapshot);
    }
    auto desired = plan::derive_desired(loaded_->profile, endpoints, policy(), *snapshot);
    WGD_TRY(desired);
    auto steps = plan::diff(*desired, *snapshot);
    WGD_TRY(steps);

    Record record;
    record.backend = desired->backend;
    record.backend_reason = record_.backend_reason;
    record.mark = desired->mark;
    record.rules = desired->rules;
    // Of the profile that it came up with: a reload runs no hook, so what those did is still to be undone.
    record.hooks = has_record_ ? record_.hooks : desired->hooks;
    for (const plan::ReplaceTable& table : desired->tables)
        record.tables.emplace(table.name, table.transaction);
    record.endpoints = std::move(endpoints);
    record.profile_digest = loaded_->digest;
    for (const std::string& key : desired->sysctls_needed) {
        auto original = host_.original_sysctl(name_, key);
        if (const auto mine = record_.original_sysctls.find(key); mine != record_.original_sysctls.end())
            original = mine->second;
        else if (const auto now = snapshot->sysctls.find(key); !original && now != snapshot->sysctls.end())
            original = now->second;
        if (original) record.original_sysctls.emplace(key, *original);
    }
    return Prepared{std::move(*desired), std::move(*steps), std::move(record)};
}

// The second look: all steps said they worked, now the system must say so too.
Result<void> Tunnel::verify(const plan::Desired& desired) {
    auto snapshot = look(record_.endpoints);
    WGD_TRY(snapshot);
    plan::Desired settled = desired;
    settled.ignore_endpoints = true;
    settled.hooks = {}; // have run; nothing of them can be seen
    const auto rest = plan::diff(settled, *snapshot);
    WGD_TRY(rest);
    if (rest->empty()) return {};
    return fail(ErrorCode::kConflict,
                "the system is not as asked for although every step succeeded; still missing: " +
                    plan::describe(rest->steps.front().act));
}

bool Tunnel::keeps(const plan::Op& op) const {
    const auto* sysctl = std::get_if<plan::SetSysctl>(&op);
    return sysctl != nullptr && host_.needs_sysctl(name_, sysctl->key);
}

// ---- up

void Tunnel::up(LoadedProfile loaded, BackendChoice choice, Reply<TunnelView> reply) {
    loaded_ = std::move(loaded);
    up_reply_ = std::move(reply);
    last_error_.clear();
    clear_leftovers(guarded([choice = std::move(choice)](Tunnel& self, Result<void> cleared) {
        if (!cleared) return self.fail_up(std::move(cleared).error());
        self.record_ = Record{};
        self.record_.backend = choice.backend;
        self.record_.backend_reason = choice.reason;
        self.enter(TunnelState::kResolving);
        self.resolve_and_apply();
    }));
}

void Tunnel::resolve_and_apply() {
    endpoints_ = std::make_unique<EndpointWatch>(ports_.resolver, ports_.timers, settings_);
    endpoints_->start(loaded_->profile, guarded([](Tunnel& self) { self.apply_up(); }));
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

    Transaction transaction{name_, std::move(prepared->plan)};
    transaction.commit = [this, desired = std::move(prepared->desired),
                          weak = weak_from_this()]() -> Result<void> {
        const auto self = weak.lock();
        if (!self) return fail(ErrorCode::kCancelled, "the daemon is stopping");
        WGD_TRY(verify(desired));
        auto saved = ports_.journal.save_record(name_, to_json(*pending_));
        // A write that failed half-way must not look like success to a recovery in the middle of the undoing.
        if (!saved) (void)ports_.journal.remove_record(name_);
        return saved;
    };
    transaction.on_rollback = guarded([](Tunnel& self) { self.enter(TunnelState::kRollingBack); });
    transaction.keep = [this, weak = weak_from_this()](const plan::Op& op) {
        return !weak.expired() && keeps(op);
    };
    applier_.run(std::move(transaction), guarded([](Tunnel& self, Outcome outcome) {
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
    if (residue_ops_.empty() && !has_record_)
        vanish(); // nothing is left of it
    else
        enter(TunnelState::kFailed);
    if (reply) reply(fail(std::move(error)));
}

void Tunnel::came_up() {
    record_ = std::move(*pending_);
    pending_.reset();
    has_record_ = true;
    loaded_is_applied_ = true;
    watch_datapath();
    endpoints_->keep_trying(guarded([](Tunnel& self) { self.reconcile(); }));
    enter(TunnelState::kUp);
    log::info("{}: up ({}: {})", name_.str(), plan::to_string(record_.backend), record_.backend_reason);
    if (const auto reply = std::exchange(up_reply_, nullptr)) reply(view());
    if (!lost_while_busy_.empty())
        return lost(std::exchange(lost_while_busy_, {}), std::exchange(lost_datapath_, false));
    reconcile(); // names that answered while the steps were taken
}

void Tunnel::watch_datapath() {
    if (record_.backend != plan::Backend::kUserspace) return;
    if (auto watched = ports_.monitor.watch_datapath(name_.str()); !watched)
        log::warning("{}: its datapath cannot be watched: {}", name_.str(), watched.error().message);
}

// ---- staying up

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
    Transaction transaction{name_, std::move(prepared->plan), false};
    transaction.commit = [this, desired = std::move(prepared->desired),
                          weak = weak_from_this()]() -> Result<void> {
        const auto self = weak.lock();
        if (!self) return fail(ErrorCode::kCancelled, "the daemon is stopping");
        WGD_TRY(verify(desired));
        return ports_.journal.save_record(name_, to_json(*pending_));
    };
    transaction.on_rollback = guarded([](Tunnel& self) { self.enter(TunnelState::kRollingBack); });
    transaction.keep = [this, weak = weak_from_this()](const plan::Op& op) {
        return !weak.expired() && keeps(op);
    };
    applier_.run(std::move(transaction), guarded([](Tunnel& self, Outcome outcome) {
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
        if (snapshot) {
            const auto link = snapshot->links.find(name_.str());
            if (link != snapshot->links.end() &&
                link->second.alias == std::string(kLinkAliasPrefix) + name_.str())
                return;
        }
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

// ---- down

void Tunnel::down(Reply<void> reply) {
    if (busy_)
        return reply(
            fail(ErrorCode::kBusy, "tunnel '" + name_.str() + "' is " + std::string(to_string(state_))));
    if (state_ == TunnelState::kResolving) {
        // Nothing was touched yet.
        const auto cancelled = std::exchange(up_reply_, nullptr);
        vanish();
        if (cancelled)
            cancelled(
                fail(ErrorCode::kCancelled, "'" + name_.str() + "' was brought down while it was coming up"));
        return reply({});
    }
    const TunnelState before = state_;
    endpoints_.reset();
    clear_leftovers(guarded([before, reply = std::move(reply)](Tunnel& self, Result<void> cleared) {
        if (!cleared) {
            self.last_error_ = cleared.error().message;
            if (before == TunnelState::kUp && self.residue_.empty() && self.loaded_ &&
                self.loaded_is_applied_) {
                // It is up as before; go on looking after it.
                self.endpoints_ =
                    std::make_unique<EndpointWatch>(self.ports_.resolver, self.ports_.timers, self.settings_);
                self.endpoints_->start(self.loaded_->profile, self.guarded([](Tunnel& again) {
                    again.endpoints_->keep_trying(again.guarded([](Tunnel& it) { it.reconcile(); }));
                }));
            }
            self.enter(self.residue_.empty() ? before : TunnelState::kFailed);
            return reply(std::move(cleared));
        }
        log::info("{}: down", self.name_.str());
        self.vanish();
        reply({});
    }));
}

// Takes away everything that is ours: undo that is still owed, then whatever the record says is there.
void Tunnel::clear_leftovers(std::function<void(Result<void>)> done) {
    if (residue_ops_.empty()) return remove(std::move(done));
    busy_ = true;
    applier_.undo(
        name_, residue_ops_,
        [this, weak = weak_from_this()](const plan::Op& op) { return !weak.expired() && keeps(op); },
        guarded([done = std::move(done)](Tunnel& self, Outcome outcome) {
            self.busy_ = false;
            self.residue_ = std::move(outcome.residue);
            self.residue_ops_ = std::move(outcome.residue_ops);
            if (outcome.error) return done(fail(std::move(*outcome.error)));
            self.remove(done);
        }));
}

void Tunnel::remove(std::function<void(Result<void>)> done) {
    if (!has_record_) return done({});
    // From here on recovery finishes the removal instead of undoing it.
    const Record before = record_;
    record_.intent = Record::Intent::kDown;
    auto snapshot = look({});
    auto saved = snapshot ? ports_.journal.save_record(name_, to_json(record_)) : Result<void>{};
    if (!snapshot || !saved) {
        record_ = before;
        if (saved) return done(fail(std::move(snapshot).error()));
        (void)ports_.journal.save_record(name_, to_json(record_));
        return done(std::move(saved));
    }
    auto steps = plan::diff(plan::derive_absent(name_, policy()), *snapshot);
    if (!steps) return done(fail(std::move(steps).error()));

    ports_.monitor.unwatch_datapath(name_.str());
    busy_ = true;
    if (state_ == TunnelState::kUp) enter(TunnelState::kRemoving);
    Transaction transaction{name_, std::move(*steps), false};
    transaction.commit = [this, weak = weak_from_this()]() -> Result<void> {
        const auto self = weak.lock();
        if (!self) return fail(ErrorCode::kCancelled, "the daemon is stopping");
        return verify(plan::derive_absent(name_, policy())); // anew: others may have come to need a sysctl
    };
    transaction.skip = [this, weak = weak_from_this()](const plan::Op& op) {
        return !weak.expired() && keeps(op);
    };
    transaction.keep = [this, weak = weak_from_this()](const plan::Op& op) {
        return !weak.expired() && keeps(op);
    };
    applier_.run(std::move(transaction),
                 guarded([before, done = std::move(done)](Tunnel& self, Outcome outcome) {
                     self.busy_ = false;
                     self.lost_while_busy_.clear(); // that was us
                     if (outcome.error) {
                         self.residue_ = std::move(outcome.residue);
                         if (self.residue_.empty()) {
                             self.record_ = before;
                             (void)self.ports_.journal.save_record(self.name_, to_json(self.record_));
                             self.watch_datapath();
                         }
                         return done(fail(std::move(*outcome.error)));
                     }
                     self.residue_.clear();
                     self.has_record_ = false;
                     // What a tunnel that failed was carried by is still worth telling.
                     Record nothing;
                     nothing.backend = self.record_.backend;
                     nothing.backend_reason = self.record_.backend_reason;
                     self.record_ = std::move(nothing);
                     // Left behind, the record of a removal is worked off again at the next start: harmless.
                     if (auto removed = self.ports_.journal.remove_record(self.name_); !removed)
                         log::warning("{}: {}", self.name_.str(), removed.error().message);
                     done({});
                 }));
}

// ---- what would be done

void Tunnel::plan_up(LoadedProfile loaded, BackendChoice choice, Reply<PlanText> reply) {
    loaded_ = std::move(loaded);
    record_.backend = choice.backend;
    endpoints_ = std::make_unique<EndpointWatch>(ports_.resolver, ports_.timers, settings_);
    // In no list: kept by what it waits for.
    endpoints_->start(loaded_->profile, [self = shared_from_this(), reply = std::move(reply)] {
        auto prepared = self->prepare();
        if (!prepared) return reply(fail(std::move(prepared).error()));
        PlanText text;
        for (const plan::Step& step : prepared->plan.steps)
            text.steps.push_back(plan::describe(step.act));
        text.warnings = self->loaded_->warnings;
        for (std::string& warning : prepared->plan.warnings)
            text.warnings.push_back(std::move(warning));
        for (std::string& problem : self->endpoints_->problems())
            text.warnings.push_back(std::move(problem));
        reply(std::move(text));
    });
}

Result<PlanText> Tunnel::plan_down() {
    auto snapshot = look({});
    WGD_TRY(snapshot);
    auto steps = plan::diff(plan::derive_absent(name_, policy()), *snapshot);
    WGD_TRY(steps);
    PlanText text;
    for (const plan::Op& op : residue_ops_)
        text.steps.push_back(plan::describe(op));
    for (const plan::Step& step : steps->steps)
        text.steps.push_back(plan::describe(step.act));
    return text;
}

// ---- after a restart

void Tunnel::recover(Record record, std::optional<LoadedProfile> loaded, std::function<void()> done) {
    record_ = std::move(record);
    has_record_ = true;
    loaded_ = std::move(loaded);
    loaded_is_applied_ = loaded_ && loaded_->digest == record_.profile_digest;

    const auto snapshot = look({});
    bool there = false;
    if (snapshot) {
        const auto link = snapshot->links.find(name_.str());
        there = link != snapshot->links.end() &&
                link->second.alias == std::string(kLinkAliasPrefix) + name_.str();
    } else {
        last_error_ = snapshot.error().message;
    }
    if (snapshot && (!there || record_.intent == Record::Intent::kDown)) {
        if (record_.intent != Record::Intent::kDown)
            log::notice("{}: the link is gone; what it left behind is removed", name_.str());
        return clear_leftovers(guarded([done = std::move(done)](Tunnel& self, Result<void> cleared) {
            if (cleared) {
                self.vanish();
            } else {
                self.last_error_ = cleared.error().message;
                log::error("{}: {}", self.name_.str(), self.last_error_);
                self.enter(TunnelState::kFailed);
            }
            done();
        }));
    }
    if (!snapshot) {
        enter(TunnelState::kFailed);
        return done();
    }

    if (!loaded_is_applied_)
        log::notice("{}: taken over as it is; its profile {} since it came up", name_.str(),
                    loaded_ ? "has changed" : "has become unusable");
    else
        log::info("{}: taken over", name_.str());
    watch_datapath();
    const bool unfinished = record_.intent == Record::Intent::kReconcile;
    record_.intent = Record::Intent::kUp;
    enter(TunnelState::kUp);
    if (loaded_is_applied_) {
        endpoints_ = std::make_unique<EndpointWatch>(ports_.resolver, ports_.timers, settings_);
        endpoints_->start(loaded_->profile, guarded([](Tunnel& self) {
                              self.endpoints_->keep_trying(
                                  self.guarded([](Tunnel& again) { again.reconcile(); }));
                              self.reconcile();
                          }));
    }
    // Whatever was half done is seen as a difference and finished by reconcile(), or was never begun.
    if (unfinished && !busy_) {
        if (auto saved = ports_.journal.save_record(name_, to_json(record_)); !saved)
            log::warning("{}: {}", name_.str(), saved.error().message);
    }
    done();
}

void Tunnel::recover_failed(Outcome outcome) {
    residue_ = std::move(outcome.residue);
    residue_ops_ = std::move(outcome.residue_ops);
    last_error_ = outcome.error ? outcome.error->message : "";
    enter(TunnelState::kFailed);
}

// ---- what others must keep their hands off

std::vector<std::uint32_t> Tunnel::marks() const {
    std::vector<std::uint32_t> marks;
    if (record_.mark) marks.push_back(*record_.mark);
    if (pending_ && pending_->mark && pending_->mark != record_.mark) marks.push_back(*pending_->mark);
    return marks;
}

std::vector<plan::Rule> Tunnel::rules() const {
    std::vector<plan::Rule> rules = record_.rules;
    if (pending_)
        for (const plan::Rule& rule : pending_->rules)
            if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
    return rules;
}

std::optional<std::string> Tunnel::original_sysctl(const std::string& key) const {
    if (pending_)
        if (const auto found = pending_->original_sysctls.find(key);
            found != pending_->original_sysctls.end())
            return found->second;
    // Also while being removed: no longer needed then, but it is what the others go back to one day.
    if (const auto found = record_.original_sysctls.find(key); found != record_.original_sysctls.end())
        return found->second;
    return std::nullopt;
}

bool Tunnel::needs_sysctl(const std::string& key) const {
    if (pending_ && pending_->original_sysctls.count(key) != 0) return true;
    return record_.intent != Record::Intent::kDown && record_.original_sysctls.count(key) != 0;
}

} // namespace wgd::control
