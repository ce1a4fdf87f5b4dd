// SPDX-License-Identifier: MIT
// wgctl plan NAME [up|down]
#include <cstdio>

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"

namespace wgd::cli {

int run_plan(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    const std::string verb = invocation.operands.size() > 1 ? invocation.operands[1] : "up";
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    const auto plan = (*daemon)->plan(name, verb);
    if (!plan) return report(invocation, plan.error());
    if (invocation.has("--json"))
        return print(dump({{"version", 1}, {"steps", plan->steps}, {"warnings", plan->warnings}}));
    for (const auto& warning : plan->warnings)
        std::fprintf(stderr, "%s: warning: %s\n", invocation.program.c_str(), printable(warning).c_str());
    if (plan->steps.empty()) return print("nothing to do\n");
    std::string text;
    for (const auto& step : plan->steps)
        text += printable_lines(step) + "\n";
    return print(text);
}

} // namespace wgd::cli
