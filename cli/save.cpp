// SPDX-License-Identifier: MIT
// wgctl save NAME [--force]
#include "cli/command.hpp"
#include "cli/daemon_client.hpp"

namespace wgd::cli {

int run_save(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    const auto changes = (*daemon)->save(name, invocation.has("--force"));
    if (!changes) return report(invocation, changes.error());
    if (invocation.has("--json")) return print(dump({{"version", 1}, {"name", name}, {"changes", *changes}}));
    if (changes->empty()) return print("the profile says what " + printable(name) + " is: nothing to save\n");
    std::string text;
    for (const auto& change : *changes)
        text += printable(change) + "\n";
    return print(text);
}

} // namespace wgd::cli
