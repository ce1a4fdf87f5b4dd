// SPDX-License-Identifier: MIT
#include "daemon/control/autoconnect.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

Settings settings_with(const std::vector<std::string>& names) {
    Settings settings;
    for (const std::string& name : names)
        settings.tunnels[name].autoconnect = true;
    settings.tunnels["other"]; // has settings, and is not asked for
    return settings;
}

std::string first_profile() {
    return fakes::sample_profiles().front().name;
}

} // namespace

TEST_CASE("what the settings ask for comes up, the rest does not") {
    FakeWorld world;
    furnish(world);
    const Settings settings = settings_with({first_profile()});
    Daemon daemon(world, settings);
    Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
    autoconnect.start(settings);
    world.turns.run();
    CHECK(daemon.state(first_profile()) == TunnelState::kUp);
    CHECK(daemon.manager().tunnels().size() == 1);
    SECTION("and is its user's from then on") {
        REQUIRE(daemon.down(first_profile()));
        world.time.advance(24h);
        world.turns.run();
        CHECK_FALSE(daemon.state(first_profile()));
    }
}

TEST_CASE("a tunnel that cannot come up is tried again and again, and keeps none of the others down") {
    FakeWorld world;
    furnish(world);
    const Settings settings = settings_with({"absent", first_profile()});
    Daemon daemon(world, settings);
    Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
    autoconnect.start(settings);
    world.turns.run();
    CHECK(daemon.state(first_profile()) == TunnelState::kUp);
    CHECK_FALSE(daemon.state("absent"));
    CHECK(world.time.armed() >= 1);
    world.time.advance(1h);
    CHECK_FALSE(daemon.state("absent"));
    world.disk.put("absent", "[Interface]\nPrivateKey = " + std::string(fakes::kPrivateKey) + "\n");
    world.time.advance(5min); // the longest pause
    world.turns.run();
    CHECK(daemon.state("absent") == TunnelState::kUp);
}

TEST_CASE("the daemon may end while it tries") {
    FakeWorld world;
    furnish(world);
    const Settings settings = settings_with({"absent"});
    Daemon daemon(world, settings);
    {
        Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
        autoconnect.start(settings);
        world.turns.run();
    }
    CHECK(world.time.armed() == 0);
}

TEST_CASE("what was taken down by hand stays down when the daemon is started again") {
    FakeWorld world;
    furnish(world);
    const Settings settings = settings_with({first_profile()});
    const auto start = [&](Daemon& daemon, Autoconnect& autoconnect) {
        REQUIRE(daemon.recover()->has_value());
        autoconnect.start(settings);
        world.turns.run();
    };
    {
        Daemon daemon(world, settings);
        Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
        start(daemon, autoconnect);
        REQUIRE(daemon.state(first_profile()) == TunnelState::kUp);
        REQUIRE(daemon.down(first_profile())->has_value());
    }
    world.bury_daemon();
    {
        Daemon daemon(world, settings);
        Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
        start(daemon, autoconnect);
        CHECK_FALSE(daemon.state(first_profile()));
        // Brought up by hand, it is as any other again.
        REQUIRE(daemon.up(first_profile())->has_value());
    }
    world.bury_daemon();
    {
        Daemon daemon(world, settings);
        Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
        start(daemon, autoconnect);
        CHECK(daemon.state(first_profile()) == TunnelState::kUp);
    }
}

TEST_CASE("a down ends the tries as well") {
    FakeWorld world;
    furnish(world);
    const Settings settings = settings_with({"absent"});
    Daemon daemon(world, settings);
    Autoconnect autoconnect(daemon.manager(), world.disk, world.time);
    autoconnect.start(settings);
    world.turns.run();
    CHECK(daemon.down("absent")->error().code == ErrorCode::kNotFound);
    world.disk.put("absent", "[Interface]\nPrivateKey = " + std::string(fakes::kPrivateKey) + "\n");
    world.time.advance(1h);
    world.turns.run();
    CHECK_FALSE(daemon.state("absent"));
    CHECK(world.time.armed() == 0);
}
