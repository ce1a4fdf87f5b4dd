// SPDX-License-Identifier: MIT
// DaemonClient: wgd over the system bus, as the commands want it. Blocking; one thread. The bus's errors come
// out as CommandError with a sentence that says what to do about them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "cli/tunnel_status.hpp"
#include "common/config/diagnostic.hpp"

namespace wgd::cli {

struct PlanReply {
    std::vector<std::string> steps;
    std::vector<std::string> warnings;
};

class DaemonClient {
  public:
    // Connects to the bus; whether the daemon is there shows at the first call.
    static Outcome<std::unique_ptr<DaemonClient>> connect();
    virtual ~DaemonClient() = default;

    // Called about ten times a second while a call is out, with the tunnel's state as last heard ("" if not).
    using Progress = std::function<void(const std::string& state)>;

    // up, down and reload take signals for as long as they wait. The first one cancels an up or a reload:
    // its error has the exit code kSignalled + signal once all is undone. A second one, or one at a down, is
    // not waited with: the daemon goes on.
    virtual Outcome<void> up(const std::string& name, const Progress& progress) = 0;
    virtual Outcome<void> down(const std::string& name, const Progress& progress) = 0;
    // What was done.
    virtual Outcome<PlanReply> reload(const std::string& name, const Progress& progress) = 0;
    // What was changed in the profile.
    virtual Outcome<std::vector<std::string>> save(const std::string& name, bool force) = 0;
    virtual Outcome<PlanReply> plan(const std::string& name, const std::string& verb) = 0;
    virtual Outcome<std::vector<Diagnostic>> check(const std::string& name) = 0;
    virtual Outcome<std::vector<ProfileRow>> list_profiles() = 0;
    // "off", "on" or "lan"; empty: a daemon that knows none.
    virtual Outcome<std::string> lockdown() = 0;
    // All tunnels with all their peers, by name.
    virtual Outcome<std::vector<TunnelStatus>> tunnels() = 0;
    // kNotFound when there is no such tunnel. Peers, of which there may be thousands, only if asked for.
    virtual Outcome<TunnelStatus> tunnel(const std::string& name, bool with_peers) = 0;
};

} // namespace wgd::cli
