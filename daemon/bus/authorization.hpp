// SPDX-License-Identifier: MIT
// Who may do what. Each method has a row saying which action it is; a method without a row is denied. An
// Authority decides whether a caller may take an action, asynchronously, because asking somebody (the bus who
// the caller is, polkit whether it may) takes a message there and back. Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "daemon/bus/caller.hpp"

namespace wgd::bus {

enum class Action {
    kStatus,  // see which tunnels there are and how they do
    kInspect, // see what is in a profile that only root can read
    kControl, // bring tunnels up and down
};
std::string_view to_string(Action action); // "status", "inspect", "control"

// nullopt: no row, to be denied.
std::optional<Action> action_of(std::string_view interface, std::string_view method);

class Authority {
  public:
    // kNotAuthorized with what would be needed, or success.
    using Decision = std::function<void(Result<void>)>;
    virtual ~Authority() = default;
    // `sender` is the caller's unique name on the bus, the one identity that the bus vouches for and never
    // gives to another (a process id may be another process by the time it is looked at: CVE-2013-4288).
    // `decision` may be called at once; it is not called after the Authority is gone.
    virtual void decide(const std::string& sender, Action action, Decision decision) = 0;
};

// Status: any local user. Everything else: uid 0.
class RootAuthority : public Authority {
  public:
    explicit RootAuthority(CallerLookup& callers)
        : callers_(callers) {}
    void decide(const std::string& sender, Action action, Decision decision) override;

  private:
    CallerLookup& callers_;
};

} // namespace wgd::bus
