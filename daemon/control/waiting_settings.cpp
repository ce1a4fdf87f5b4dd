// SPDX-License-Identifier: MIT
#include "daemon/control/waiting_settings.hpp"

#include <fmt/format.h>

#include "daemon/control/backend_choice.hpp"

namespace wgd::control {
namespace {

std::string where(const TunnelSettings& settings, const std::string& key) {
    const auto found = settings.places.find(key);
    return found == settings.places.end() ? "the settings no longer say " + key + ": " : found->second + ": ";
}

} // namespace

std::vector<std::string> settings_that_wait(const TunnelSettings& now, const TunnelSettings& before,
                                            const Record& record, bool locked,
                                            const ports::BackendReport& backends) {
    std::vector<std::string> waiting;
    // "auto" that was so before is content with whatever it has become.
    const bool asked = now.backend != BackendPreference::kAuto || now.backend != before.backend;
    if (const auto choice = choose_backend(now.backend, backends); asked && !choice)
        waiting.push_back(where(now, "backend") + choice.error().message +
                          "; it stays as it is until it is brought down");
    else if (asked && choice->backend != record.backend)
        waiting.push_back(fmt::format(
            "{}backend {} waits until it is brought down and up again; it is {} now", where(now, "backend"),
            plan::to_string(choice->backend), plan::to_string(record.backend)));
    if (now.netns != record.netns)
        waiting.push_back(
            fmt::format("{}netns \"{}\" waits until it is brought down and up again; it is in {} "
                        "now",
                        where(now, "netns"), now.netns,
                        record.netns.empty() ? "no namespace of its own" : "\"" + record.netns + "\""));
    if (locked && now.kill_switch == plan::LockMode::kOff)
        waiting.push_back(where(now, "kill_switch") +
                          "the kill switch stays closed until it is brought down; a reload does not open it");
    return waiting;
}

} // namespace wgd::control
