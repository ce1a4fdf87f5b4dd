// SPDX-License-Identifier: MIT
// wgctl status [NAME] [--watch]
#include <chrono>
#include <thread>

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"

namespace wgd::cli {
namespace {

constexpr auto kWatchInterval = std::chrono::seconds(2);

// A tunnel without an object is down, if there is a profile of that name at all.
Outcome<std::vector<TunnelStatus>> one(DaemonClient& daemon, const std::string& name) {
    auto tunnel = daemon.tunnel(name, true);
    if (tunnel) return std::vector<TunnelStatus>{*std::move(tunnel)};
    if (tunnel.error().exit != kNotFound) return tl::unexpected(tunnel.error());
    const auto profiles = daemon.list_profiles();
    if (!profiles) return tl::unexpected(profiles.error());
    for (const auto& profile : *profiles) {
        if (profile.name != name) continue;
        TunnelStatus down;
        down.name = name;
        down.state = "down";
        down.last_error = profile.problem;
        return std::vector<TunnelStatus>{std::move(down)};
    }
    return tl::unexpected(
        CommandError{kNotFound, "not-found", "there is no tunnel and no profile '" + name + "'"});
}

int show(const Invocation& invocation, DaemonClient& daemon) {
    const auto tunnels = invocation.operands.empty() ? daemon.tunnels() : one(daemon, invocation.operands[0]);
    if (!tunnels) return report(invocation, tunnels.error());
    const auto lockdown = daemon.lockdown();
    if (!lockdown) return report(invocation, lockdown.error());
    if (invocation.has("--json")) return print(dump(status_json(*tunnels, *lockdown)));
    const Style style = Style::for_stdout();
    std::string text = lockdown_text(*lockdown, style);
    for (const auto& tunnel : *tunnels)
        text += (text.empty() ? "" : "\n") + status_text(tunnel, now_epoch(), style);
    if (tunnels->empty()) text += "no tunnel is up\n";
    if (invocation.has("--watch") && style.colours()) text.insert(0, "\x1b[H\x1b[2J");
    return print(text);
}

} // namespace

int run_status(const Invocation& invocation) {
    auto daemon = DaemonClient::connect();
    if (!daemon) return report(invocation, daemon.error());
    int result = show(invocation, **daemon);
    while (invocation.has("--watch") && result == kOk) {
        std::this_thread::sleep_for(kWatchInterval);
        result = show(invocation, **daemon);
    }
    return result;
}

} // namespace wgd::cli
