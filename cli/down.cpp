// SPDX-License-Identifier: MIT
// wgctl down NAME
#include "cli/command.hpp"
#include "cli/daemon_client.hpp"
#include "cli/progress.hpp"

namespace wgd::cli {

int run_down(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    Outcome<void> done;
    {
        ProgressLine progress(name);
        done = (*daemon)->down(name, progress.callback());
    }
    if (!done) return report(invocation, done.error());
    if (invocation.has("--json")) return print(dump({{"version", 1}, {"name", name}, {"state", "down"}}));
    return print(printable(name) + " is down\n");
}

} // namespace wgd::cli
