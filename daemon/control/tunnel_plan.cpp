// SPDX-License-Identifier: MIT
// What would be done to a tunnel, in words; nothing is touched.
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

void Tunnel::plan_up(LoadedProfile loaded, BackendChoice choice, Reply<PlanText> reply) {
    loaded_ = std::move(loaded);
    record_.backend = choice.backend;
    endpoints_ = make_endpoint_watch(settings_);
    // In no list: kept by what it waits for.
    endpoints_->start(loaded_->profile, {}, [self = shared_from_this(), reply = std::move(reply)] {
        auto prepared = self->prepare();
        if (!prepared) return reply(fail(std::move(prepared).error()));
        PlanText text;
        if (self->wanted_lock() != plan::LockMode::kOff && !self->host_.kill_switch().holds(self->name_))
            text.steps.push_back(
                plan::describe(render(plan::LockTable{{self->hold_for(prepared->record).passes}, false})));
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
    auto steps = steps_to_absence();
    WGD_TRY(steps);
    PlanText text;
    for (const plan::Op& op : residue_ops_)
        text.steps.push_back(plan::describe(op));
    for (const plan::Step& step : steps->steps)
        text.steps.push_back(plan::describe(step.act));
    const KillSwitch& lock = host_.kill_switch();
    if (lock.holds(name_) && lock.all().size() == 1 && lock.lockdown() == plan::LockMode::kOff)
        text.steps.push_back(plan::describe(plan::RemoveTable{std::string(plan::kLockTable)}));
    return text;
}

} // namespace wgd::control
