// SPDX-License-Identifier: MIT
// wgctl plan NAME [up|down|reload]
#include "cli/daemon_client.hpp"
#include "cli/steps.hpp"

namespace wgd::cli {

int run_plan(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    const std::string verb = invocation.operands.size() > 1 ? invocation.operands[1] : "up";
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    const auto plan = (*daemon)->plan(name, verb);
    if (!plan) return report(invocation, plan.error());
    return print_steps(invocation, *plan, "nothing to do");
}

} // namespace wgd::cli
