// SPDX-License-Identifier: MIT
// wgctl reload NAME [--dry-run]
#include "cli/daemon_client.hpp"
#include "cli/progress.hpp"
#include "cli/steps.hpp"

namespace wgd::cli {

int run_reload(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    Outcome<PlanReply> done;
    if (invocation.has("--dry-run")) {
        done = (*daemon)->plan(name, "reload");
    } else {
        ProgressLine progress(name);
        done = (*daemon)->reload(name, progress.callback());
    }
    if (!done) return report(invocation, done.error());
    return print_steps(invocation, *done, printable(name) + " is as its profile says: nothing to do");
}

} // namespace wgd::cli
