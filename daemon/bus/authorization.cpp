// SPDX-License-Identifier: MIT
#include "daemon/bus/authorization.hpp"

#include <array>
#include <utility>

#include "dbus/names.hpp"

namespace wgd::bus {
namespace {

struct Row {
    std::string_view interface;
    std::string_view method;
    Action action;
};

constexpr std::array kRows{
    Row{dbus::kManagerInterface, "Up", Action::kControl},
    Row{dbus::kManagerInterface, "Down", Action::kControl},
    Row{dbus::kManagerInterface, "Reload", Action::kControl},
    Row{dbus::kManagerInterface, "Cancel", Action::kControl},
    Row{dbus::kManagerInterface, "Save", Action::kControl},
    Row{dbus::kManagerInterface, "Plan", Action::kInspect},
    Row{dbus::kManagerInterface, "Check", Action::kInspect},
    Row{dbus::kManagerInterface, "ListProfiles", Action::kStatus},
    Row{dbus::kTunnelInterface, "GetPeers", Action::kStatus},
};

} // namespace

std::string_view to_string(Action action) {
    switch (action) {
    case Action::kStatus:
        return "status";
    case Action::kInspect:
        return "inspect";
    case Action::kControl:
        return "control";
    }
    return "unknown";
}

std::optional<Action> action_of(std::string_view interface, std::string_view method) {
    for (const auto& row : kRows)
        if (row.interface == interface && row.method == method) return row.action;
    return std::nullopt;
}

void RootAuthority::decide(const std::string& sender, Action action, Decision decision) {
    if (action == Action::kStatus) return decision({});
    callers_.uid_of(sender, [action, decision = std::move(decision)](Result<uid_t> uid) {
        if (!uid)
            return decision(
                fail(ErrorCode::kNotAuthorized, "cannot find out who is asking: " + uid.error().message));
        if (*uid != 0)
            return decision(fail(ErrorCode::kNotAuthorized,
                                 "only root may do this (action '" + std::string(to_string(action)) + "')"));
        decision({});
    });
}

} // namespace wgd::bus
