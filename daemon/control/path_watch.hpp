// SPDX-License-Identifier: MIT
// PathWatch: how large a packet reaches the endpoints of a tunnel in one piece, measured once the tunnel is
// up, again when the way there changes, and every now and then (mtu_probe in wgd.toml). Decides when; how is
// the prober's business, what becomes of the tunnel's MTU is plan/mtu's. Loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/plan/snapshot.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

class PathWatch {
  public:
    // A path may have become wider: RFC 8899 5.1.1 (PMTU_RAISE_TIMER), RFC 8201 4.
    static constexpr Duration kAgain = std::chrono::minutes(10);

    using Mtus = std::map<IpAddress, std::uint32_t>;

    // `known`: limits found before a restart of the daemon. `changed` is called after each measurement.
    // The ports outlive the watch.
    PathWatch(ports::PathProber& prober, ports::Timers& timers, Mtus known, std::function<void()> changed)
        : prober_(prober)
        , timers_(timers)
        , known_(std::move(known))
        , changed_(std::move(changed)) {}

    // The ways to the endpoints as they are now; what is new among them is measured, with this mark.
    void see(const plan::Snapshot& snapshot, const std::string& own_link, std::uint32_t mark);
    // All are measured again.
    void doubt_all();

    // Puts what was found where the planner looks: no path is wider than that.
    void limit(plan::Snapshot& snapshot) const;
    // Of the paths that are narrower than their first link.
    [[nodiscard]] Mtus limits() const;
    // The smallest that was measured, of any path.
    [[nodiscard]] std::optional<std::uint32_t> smallest() const;
    // One sentence for each path that could not be measured.
    [[nodiscard]] std::vector<std::string> problems() const;

  private:
    struct Path {
        std::string link;
        std::uint32_t ceiling = 0; // MTU of the link
        std::optional<std::uint32_t> mtu;
        std::string problem;
        std::unique_ptr<ports::PathProber::Measurement> running;
        std::unique_ptr<ports::Timers::Timer> again;
    };

    void measure(const IpAddress& destination);
    void found(const IpAddress& destination, Result<std::optional<std::uint32_t>> mtu);

    ports::PathProber& prober_;
    ports::Timers& timers_;
    Mtus known_;
    std::function<void()> changed_;
    std::uint32_t mark_ = 0;
    std::map<IpAddress, Path> paths_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::control
