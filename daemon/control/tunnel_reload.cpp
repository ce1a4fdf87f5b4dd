// SPDX-License-Identifier: MIT
// A tunnel made what its profile says now. Everything is read, parsed, resolved and planned first; what is
// then done is the difference, as one transaction. Nothing of the tunnel changes hands before that: until the
// steps are taken it is looked after as what it is.
#include "common/base/log.hpp"
#include "daemon/control/endpoint_choice.hpp"
#include "daemon/control/tunnel.hpp"
#include "daemon/control/waiting_settings.hpp"

namespace wgd::control {

void Tunnel::reload(LoadedProfile loaded, TunnelSettings settings, Reply<PlanText> reply) {
    if (auto may = may_reload(); !may) return reply(fail(std::move(may).error()));
    reload_ =
        std::make_shared<Reload>(Reload{std::move(loaded), std::move(settings), nullptr, std::move(reply)});
    resolve(reload_, [](Tunnel& self) { self.apply_reload(); });
}

void Tunnel::plan_reload(LoadedProfile loaded, TunnelSettings settings, Reply<PlanText> reply) {
    if (auto may = may_reload(); !may) return reply(fail(std::move(may).error()));
    const auto reload =
        std::make_shared<Reload>(Reload{std::move(loaded), std::move(settings), nullptr, std::move(reply)});
    // Kept by what it waits for.
    resolve(reload, [reload](Tunnel& self) {
        // The tunnel has lived on meanwhile.
        if (auto may = self.may_reload(); !may) return reload->reply(fail(std::move(may).error()));
        self.trade(*reload);
        auto prepared = self.prepare();
        if (prepared) self.warn_of_waiting(reload->settings, prepared->plan);
        auto answer = prepared ? Result<PlanText>(self.tell(prepared->plan))
                               : Result<PlanText>(fail(std::move(prepared).error()));
        self.trade(*reload);
        reload->reply(std::move(answer));
    });
}

Result<void> Tunnel::may_reload() const {
    if (busy())
        return fail(ErrorCode::kBusy, "tunnel '" + name_.str() + "' is " +
                                          std::string(reload_ ? "reloading" : to_string(state_)));
    if (state_ != TunnelState::kUp)
        return fail(ErrorCode::kNotFound,
                    "tunnel '" + name_.str() + "' is " + std::string(to_string(state_)) + ", not up");
    return {};
}

void Tunnel::resolve(const std::shared_ptr<Reload>& reload, std::function<void(Tunnel&)> ready) {
    reload->endpoints = make_endpoint_watch(reload->settings);
    const Profile& profile = reload->loaded->profile;
    reload->endpoints->start(profile, endpoints_kept(profile, record_), guarded(std::move(ready)));
}

void Tunnel::trade(Reload& reload) {
    std::swap(loaded_, reload.loaded);
    std::swap(settings_, reload.settings);
    std::swap(endpoints_, reload.endpoints);
}

void Tunnel::warn_of_waiting(const TunnelSettings& former, plan::Plan& plan) {
    const bool locked =
        host_.kill_switch().holds(name_) && host_.kill_switch().lockdown() == plan::LockMode::kOff;
    for (std::string& warning :
         settings_that_wait(settings_, former, record_, locked, ports_.backends.probe()))
        plan.warnings.push_back(std::move(warning));
}

PlanText Tunnel::tell(const plan::Plan& plan) const {
    PlanText text;
    for (const plan::Step& step : plan.steps)
        text.steps.push_back(plan::describe(step.act));
    text.warnings = loaded_->warnings;
    text.warnings.insert(text.warnings.end(), plan.warnings.begin(), plan.warnings.end());
    if (endpoints_)
        for (std::string& problem : endpoints_->problems())
            text.warnings.push_back(std::move(problem));
    return text;
}

void Tunnel::apply_reload() {
    // From here on this is what the tunnel was made from before.
    const std::shared_ptr<Reload> former = std::exchange(reload_, nullptr);
    trade(*former);
    auto prepared = prepare();
    if (!prepared) {
        Outcome outcome;
        outcome.error = std::move(prepared).error();
        return reloaded(former, {}, std::move(outcome));
    }
    warn_of_waiting(former->settings, prepared->plan);
    PlanText text = tell(prepared->plan);
    std::vector<std::string> warnings = prepared->plan.warnings;
    plan_warnings_.swap(warnings);
    if (prepared->plan.empty() && prepared->record == record_) {
        take_reading(prepared->seen, ports_.timers.now() - prepared->took);
        return reloaded(former, std::move(text), {});
    }
    reapply(std::move(*prepared), true,
            guarded([former, text = std::move(text), warnings = std::move(warnings)](Tunnel& self,
                                                                                     Outcome outcome) {
                if (outcome.error) self.plan_warnings_ = warnings;
                self.reloaded(former, text, std::move(outcome));
            }));
}

void Tunnel::reloaded(std::shared_ptr<Reload> former, PlanText done, Outcome outcome) {
    if (outcome.error) {
        trade(*former);
        // A tunnel that was lost on the way looks after nothing, and says why itself.
        if (state_ != TunnelState::kUp)
            endpoints_.reset();
        else
            last_error_ = outcome.error->message;
        log::warning("{}: not reloaded: {}", name_.str(), outcome.error->message);
        former->reply(fail(std::move(*outcome.error)));
    } else {
        loaded_is_applied_ = true;
        profile_changed_ = false;
        last_error_.clear();
        log::info("{}: reloaded, {} steps", name_.str(), done.steps.size());
        watch_endpoints();
        watch_paths();
        former->reply(std::move(done));
    }
    host_.tunnel_changed(*this);
    reconcile(); // names that answered meanwhile
}

void Tunnel::cancel_reload(const std::string& why) {
    const std::shared_ptr<Reload> reload = std::exchange(reload_, nullptr);
    if (reload) reload->reply(fail(ErrorCode::kCancelled, why));
}

} // namespace wgd::control
