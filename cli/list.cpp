// SPDX-License-Identifier: MIT
// wgctl list
#include "cli/command.hpp"
#include "cli/daemon_client.hpp"

namespace wgd::cli {

int run_list(const Invocation& invocation) {
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    const auto profiles = (*daemon)->list_profiles();
    if (!profiles) return report(invocation, profiles.error());
    if (invocation.has("--json")) return print(dump(list_json(*profiles)));
    if (!invocation.has("--names")) return print(list_text(*profiles, Style::for_stdout()));
    std::string names;
    for (const auto& profile : *profiles)
        names += printable(profile.name) + "\n";
    return print(names);
}

} // namespace wgd::cli
