// SPDX-License-Identifier: MIT
// wgctl up NAME
#include <cstdio>

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"
#include "cli/progress.hpp"

namespace wgd::cli {

int run_up(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    Outcome<void> done;
    {
        ProgressLine progress(name);
        done = (*daemon)->up(name, progress.callback());
    }
    if (!done) return report(invocation, done.error());
    const auto tunnel = (*daemon)->tunnel(name, invocation.has("--json"));
    if (!tunnel) return report(invocation, tunnel.error());
    if (invocation.has("--json")) {
        const auto lockdown = (*daemon)->lockdown();
        if (!lockdown) return report(invocation, lockdown.error());
        return print(dump(status_json({*tunnel}, *lockdown)));
    }
    for (const auto& warning : tunnel->warnings)
        std::fprintf(stderr, "%s: warning: %s\n", invocation.program.c_str(), printable(warning).c_str());
    return print(printable(name) + " is " + printable(tunnel->state) + "\n");
}

} // namespace wgd::cli
