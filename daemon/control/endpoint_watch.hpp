// SPDX-License-Identifier: MIT
// EndpointWatch: turns the endpoints of a profile into addresses and keeps them true. Nobody waits for a name
// that does not resolve: `ready` comes when all names have answered or the time is over, whichever is first;
// names without an answer are asked again, less and less often, until they have one. A name that has one is
// asked again when the answer's time ran out, when its peer does not answer, and when the network changed; an
// answer that fails to come changes nothing. Which of several addresses is used is EndpointSearch's business.
//
// Loop's thread. Costs one look at the device each kLookPeriod while an endpoint is a name; else one after an
// endpoint was replaced.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/config/profile.hpp"
#include "daemon/control/endpoint_search.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

class EndpointWatch {
  public:
    static constexpr Duration kLookPeriod = std::chrono::seconds(10);
    static constexpr Duration kLookPeriodInDoubt = std::chrono::seconds(5); // while a peer does not answer
    static constexpr int kLookShare = 200; // looking takes no more than this part of the time (large devices)
    static constexpr Duration kUnknownTtl = std::chrono::minutes(30); // of an answer that does not say
    // After an endpoint was set: what the old address sent in that moment made the device roam back.
    static constexpr Duration kSecondLook = std::chrono::seconds(1);
    static constexpr Duration kNudgeSpacing = std::chrono::seconds(30);

    // What it needs of the tunnel once that is up.
    struct Upkeep {
        std::function<Result<WgDevice>()> look;
        std::function<void()> changed; // resolved() says something new; may destroy the watch
        std::function<void()> noted;   // problems() does; may not
        // What a device has roamed to: can it be reached at all? Nothing: everything can.
        std::function<bool(const Endpoint&)> passes = nullptr;
    };

    // The ports outlive the watch.
    EndpointWatch(ports::Resolver& resolver, ports::Timers& timers, const Clock& clock, TunnelSettings timing)
        : resolver_(resolver)
        , timers_(timers)
        , clock_(clock)
        , timing_(timing) {}

    // Asks for every endpoint of the profile that is a name. `applied`: what peers have been given already,
    // for the names that the profile still has. `ready` is called once, perhaps before this returns; it may
    // destroy the watch.
    void start(const Profile& profile, const plan::ResolvedEndpoints& applied, std::function<void()> ready);
    // From now on, until the end of the watch.
    void keep_watch(Upkeep upkeep);
    // For look-ups from now on.
    void set_path(ports::LookupPath path) { path_ = std::move(path); }

    // The network changed: what failed may work now, and names may mean something else. However often this
    // is called, names are asked with pauses.
    void nudge();
    // Time went by unseen (suspend, a clock that was set): nothing is believed any more, all is looked at.
    void doubt_all();

    // The endpoints as they should be, of peers that have one by now.
    [[nodiscard]] plan::ResolvedEndpoints resolved() const;
    // Peers whose endpoint is to be set even if the device has another.
    [[nodiscard]] std::set<PublicKey> moved() const;
    // resolved() asks for something that was not applied yet.
    [[nodiscard]] bool differs_from(const plan::ResolvedEndpoints& applied) const;
    // `replaced`: in the place of others.
    void applied(const plan::ResolvedEndpoints& endpoints, bool replaced);
    // Whether IPv6 works here; true if that changed what resolved() says.
    bool allow_ipv6(bool allowed);

    // One sentence for each name without an address, or whose address could not be confirmed.
    [[nodiscard]] std::vector<std::string> problems() const;

  private:
    struct Wanted {
        PublicKey peer;
        EndpointSpec spec;
        bool is_name = true;
        EndpointSearch search;
        std::string problem; // of the last look-up
        std::unique_ptr<ports::Resolver::Query> query;
        bool asking = false;
        std::optional<Instant> asked;    // last
        std::optional<Instant> next_ask; // planned
        Duration delay{};                // before the retry after the next failure
    };

    void ask(std::size_t index);
    void answered(std::size_t index, Result<ports::Resolution> answer);
    void conclude();
    void hurry(Duration spacing);
    void work();
    bool look();
    void plan_second_look();
    void schedule();
    void arm(Instant at);
    [[nodiscard]] bool refreshes() const { return timing_.endpoint_refresh != EndpointRefresh::kNever; }
    [[nodiscard]] bool follows_names() const { return has_names_ && refreshes(); }
    [[nodiscard]] bool all_asked() const;

    ports::Resolver& resolver_;
    ports::Timers& timers_;
    const Clock& clock_;
    TunnelSettings timing_;
    ports::LookupPath path_;
    std::vector<Wanted> wanted_;
    std::unordered_map<PublicKey, std::size_t> places_; // -> index in wanted_
    bool has_names_ = false;
    bool second_look_ = false; // is due, and not planned yet
    std::function<void()> ready_;
    std::optional<Upkeep> upkeep_;
    std::optional<Instant> last_look_;
    std::optional<Instant> next_look_;
    std::optional<Instant> armed_;                // when the timer fires; never too late
    std::unique_ptr<ports::Timers::Timer> timer_; // the wait of `up`, later the next thing to do
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::control
