// SPDX-License-Identifier: MIT
// A daemon on a fake world, and the verbs with their answers as values.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/control/tunnel_manager.hpp"
#include "tests/fakes/fake_world.hpp"
#include "tests/fakes/profiles.hpp"

namespace wgd::control {

using fakes::FakeWorld;

inline ProfileName named(const std::string& name) {
    return *ProfileName::parse(name);
}

// A machine with a LAN and a default route, as most have.
inline void furnish(FakeWorld& world) {
    world.kernel.add_link("lo", 65536);
    world.kernel.add_link("eth0", 1500);
    world.kernel.add_address("eth0", "192.168.1.10/24");
    world.kernel.add_address("eth0", "2001:db8:1::10/64");
    world.kernel.add_route("0.0.0.0/0", "eth0");
    world.kernel.add_route("::/0", "eth0");
    world.resolver.know("vpn.example.net", "198.51.100.9");
    for (const fakes::NamedProfile& profile : fakes::sample_profiles())
        world.disk.put(profile.name, profile.text);
}

// An effect of `up` whose failure does not fail it: clearing the log after all is done, and setting DNS.
inline bool dispensable(const std::string& effect) {
    return effect == "clear undo" || effect.rfind("write /etc/resolv.conf for ", 0) == 0;
}

class Daemon {
  public:
    explicit Daemon(FakeWorld& world, Settings settings = {})
        : world_(world)
        , manager_(std::make_unique<TunnelManager>(Ports{world.kernel, world.kernel, world.disk, world.disk,
                                                         world.resolver, world.probe, world.kernel,
                                                         world.paths, world.time, world.time},
                                                   std::move(settings))) {}

    TunnelManager& manager() { return *manager_; }

    // Nothing if the answer has not come (yet).
    std::optional<Result<void>> recover() {
        std::optional<Result<void>> answer;
        manager_->recover([&](Result<void> result) { answer = std::move(result); });
        world_.turns.run();
        return answer;
    }
    std::optional<Result<TunnelView>> up(const std::string& name) {
        auto answer = begin_up(name);
        world_.turns.run();
        return std::move(*answer);
    }
    std::shared_ptr<std::optional<Result<TunnelView>>> begin_up(const std::string& name) {
        auto answer = std::make_shared<std::optional<Result<TunnelView>>>();
        manager_->up(named(name), [answer](Result<TunnelView> result) { *answer = std::move(result); });
        return answer;
    }
    std::optional<Result<void>> down(const std::string& name) {
        auto answer = begin_down(name);
        world_.turns.run();
        return std::move(*answer);
    }
    std::shared_ptr<std::optional<Result<void>>> begin_down(const std::string& name) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        manager_->down(named(name), [answer](Result<void> result) { *answer = std::move(result); });
        return answer;
    }
    std::optional<Result<PlanText>> reload(const std::string& name) {
        auto answer = begin_reload(name);
        world_.turns.run();
        return std::move(*answer);
    }
    std::shared_ptr<std::optional<Result<PlanText>>> begin_reload(const std::string& name) {
        auto answer = std::make_shared<std::optional<Result<PlanText>>>();
        manager_->reload(named(name), [answer](Result<PlanText> result) { *answer = std::move(result); });
        return answer;
    }
    std::optional<Result<PlanText>> plan(const std::string& name, const std::string& verb) {
        auto answer = std::make_shared<std::optional<Result<PlanText>>>();
        manager_->plan(named(name), verb, [answer](Result<PlanText> result) { *answer = std::move(result); });
        world_.turns.run();
        return std::move(*answer);
    }
    std::optional<TunnelState> state(const std::string& name) {
        const auto view = manager_->tunnel(named(name));
        if (!view) return std::nullopt;
        return view->state;
    }

  private:
    FakeWorld& world_;
    std::unique_ptr<TunnelManager> manager_;
};

} // namespace wgd::control
