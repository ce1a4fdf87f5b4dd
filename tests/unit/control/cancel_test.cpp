// SPDX-License-Identifier: MIT
// Somebody changes his mind: an up or a reload that is cancelled, at every moment of it, leaves the world as
// it was before.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;

namespace {

struct World : FakeWorld {
    World() { furnish(*this); }
};

const std::string kNamed = "[Interface]\nPrivateKey = " + std::string(fakes::kPrivateKey) +
                           "\nAddress = 10.1.0.1/24\n[Peer]\nPublicKey = " + std::string(fakes::kPeerA) +
                           "\nAllowedIPs = 10.1.0.0/24\nEndpoint = vpn.example.net:51820\n";

} // namespace

TEST_CASE("an up that is cancelled is undone, whenever that happens") {
    for (const fakes::NamedProfile& profile : fakes::sample_profiles()) {
        INFO(profile.name);
        int cancelled = 0;
        for (int turns = 0;; ++turns) {
            World world;
            world.turns.set_deferred(true);
            const std::string before = world.kernel.dump();
            Daemon daemon(world);
            const auto up = daemon.begin_up(profile.name);
            for (int i = 0; i < turns && !*up; ++i)
                world.turns.run_one();
            if (*up) break; // too late
            const auto cancel = daemon.manager().cancel(named(profile.name));
            world.turns.run();
            REQUIRE(*up);
            if (!cancel) {
                CHECK(cancel.error().code == ErrorCode::kNotFound);
                continue;
            }
            INFO("after " << turns << " turns");
            ++cancelled;
            REQUIRE_FALSE((*up)->has_value());
            CHECK((*up)->error().code == ErrorCode::kCancelled);
            CHECK((*up)->error().message.find("interrupted") != std::string::npos);
            CHECK(world.kernel.dump() == before);
            CHECK(world.disk.clean());
            CHECK_FALSE(daemon.state(profile.name));
            // And it comes up the next time.
            world.turns.set_deferred(false);
            CHECK(daemon.up(profile.name)->has_value());
        }
        CHECK(cancelled >= 3); // link, device, link up
    }
}

TEST_CASE("an up that waits for names is cancelled at once") {
    World world;
    world.disk.put("t", kNamed);
    world.resolver.hold("vpn.example.net");
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    const auto up = daemon.begin_up("t");
    REQUIRE_FALSE(*up);
    REQUIRE(daemon.manager().cancel(named("t")));
    REQUIRE(*up);
    CHECK((*up)->error().code == ErrorCode::kCancelled);
    world.resolver.release("vpn.example.net");
    world.turns.run();
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

TEST_CASE("a kill switch stays closed when its tunnel's up is cancelled") {
    World world;
    world.disk.put("t", kNamed);
    world.resolver.hold("vpn.example.net");
    Settings settings;
    settings.tunnels["t"].kill_switch = plan::LockMode::kOn;
    Daemon daemon(world, settings);
    const auto up = daemon.begin_up("t");
    REQUIRE_FALSE(*up);
    REQUIRE(daemon.manager().cancel(named("t")));
    CHECK((*up)->error().message.find("stays closed until `wgctl down t`") != std::string::npos);
    CHECK(world.kernel.has_table("wgd-lock"));
    REQUIRE(daemon.down("t")->has_value());
    CHECK_FALSE(world.kernel.has_table("wgd-lock"));
}

TEST_CASE("a reload that is cancelled leaves the tunnel as it was") {
    for (int turns = 0;; ++turns) {
        World world;
        Daemon daemon(world);
        world.disk.put("t", kNamed);
        REQUIRE(daemon.up("t")->has_value());
        const std::string before = world.kernel.dump();
        std::string changed = kNamed;
        changed.replace(changed.find("10.1.0.0/24"), 11, "10.2.0.0/24, 10.3.0.0/24");
        changed.replace(changed.find("10.1.0.1/24"), 11, "10.4.0.1/24");
        world.disk.put("t", changed);
        world.turns.set_deferred(true);
        const auto reload = daemon.begin_reload("t");
        for (int i = 0; i < turns && !*reload; ++i)
            world.turns.run_one();
        if (*reload) {
            CHECK(turns > 3);
            break;
        }
        INFO("after " << turns << " turns");
        const auto cancel = daemon.manager().cancel(named("t"));
        world.turns.run();
        REQUIRE(*reload);
        if (!cancel) continue;
        CHECK((*reload)->error().code == ErrorCode::kCancelled);
        CHECK(world.kernel.dump() == before);
        CHECK(daemon.state("t") == TunnelState::kUp);
        world.turns.set_deferred(false);
        CHECK(daemon.reload("t")->has_value());
    }
}

TEST_CASE("there is nothing to cancel of a tunnel at rest, and a down goes on") {
    World world;
    Daemon daemon(world);
    CHECK(daemon.manager().cancel(named("split")).error().code == ErrorCode::kNotFound);
    REQUIRE(daemon.up("split")->has_value());
    CHECK(daemon.manager().cancel(named("split")).error().code == ErrorCode::kNotFound);
    world.turns.set_deferred(true);
    const auto down = daemon.begin_down("split");
    CHECK(daemon.manager().cancel(named("split")).error().code == ErrorCode::kNotFound);
    world.turns.run();
    REQUIRE(*down);
    CHECK((*down)->has_value());
}
