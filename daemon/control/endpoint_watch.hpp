// SPDX-License-Identifier: MIT
// EndpointWatch: turns the endpoints of a profile into addresses, without making anybody wait for a name that
// does not resolve: `ready` comes when all names have answered or the time is over, whichever is first, and
// names without an answer are asked again, less and less often, until they have one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/profile.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

class EndpointWatch {
  public:
    // The ports outlive the watch.
    EndpointWatch(ports::Resolver& resolver, ports::Timers& timers, TunnelSettings timing)
        : resolver_(resolver)
        , timers_(timers)
        , timing_(timing) {}

    // Asks for every endpoint of the profile that is a name. `ready` is called once, perhaps before this
    // returns; it may destroy the watch.
    void start(const Profile& profile, std::function<void()> ready);
    // From now on names that are still missing are retried; `found` is called each time one resolves, and may
    // destroy the watch.
    void keep_trying(std::function<void()> found);
    // The network changed: what failed may work now. No more often than the first retry's delay.
    void nudge();

    // The first address of each name whose family can be used.
    [[nodiscard]] plan::ResolvedEndpoints resolved(bool ipv6_available) const;
    [[nodiscard]] std::vector<std::string> problems() const; // one sentence for each name without an address

  private:
    struct Wanted {
        PublicKey peer;
        EndpointSpec spec;
        std::vector<Endpoint> addresses; // empty: no answer yet
        std::string problem;
        std::unique_ptr<ports::Resolver::Query> query;
        bool asking = false;
    };

    void ask(std::size_t index);
    void answered(std::size_t index, Result<std::vector<Endpoint>> answer);
    void conclude();
    void retry();
    void arm(Duration delay);
    [[nodiscard]] bool all_asked() const;
    [[nodiscard]] bool any_missing() const;

    ports::Resolver& resolver_;
    ports::Timers& timers_;
    TunnelSettings timing_;
    std::vector<Wanted> wanted_;
    std::function<void()> ready_;
    std::function<void()> found_;
    std::unique_ptr<ports::Timers::Timer> timer_; // the wait of `up`, later the next retry
    Duration delay_{};
    std::optional<Instant> last_try_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::control
