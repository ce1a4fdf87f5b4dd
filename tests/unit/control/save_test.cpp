// SPDX-License-Identifier: MIT
// A tunnel saved into its profile, when it may be, and what the daemon knows afterwards.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;

namespace {

struct World : FakeWorld {
    World() { furnish(*this); }
};

const std::string kProfile =
    "[Interface]\nPrivateKey = " + fakes::kPrivateKey +
    "\nAddress = 10.1.0.1/24 # ours\nListenPort = 51820\n[Peer]\nPublicKey = " + fakes::kPeerA +
    "\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = vpn.example.net:1\n";

} // namespace

TEST_CASE("a save of a tunnel that nobody changed leaves the file") {
    World world;
    for (const auto& profile : fakes::sample_profiles()) {
        INFO(profile.name);
        Daemon daemon(world);
        REQUIRE(daemon.up(profile.name)->has_value());
        const auto saved = daemon.manager().save(named(profile.name), false);
        REQUIRE(saved);
        CHECK(saved->empty());
        CHECK(world.disk.text(profile.name) == profile.text);
        REQUIRE(daemon.down(profile.name)->has_value());
    }
}

TEST_CASE("what was changed at the tunnel is saved, and is then what was applied") {
    World world;
    world.disk.put("t", kProfile);
    Daemon daemon(world);
    REQUIRE(daemon.up("t")->has_value());
    world.kernel.device("t")->listen_port = 4242;
    const auto saved = daemon.manager().save(named("t"), false);
    REQUIRE(saved);
    CHECK(*saved == std::vector<std::string>{"ListenPort = 4242"});
    CHECK(world.disk.text("t").find("ListenPort = 4242") != std::string::npos);
    CHECK(world.disk.text("t").find("# ours") != std::string::npos);
    CHECK(world.disk.text("t").find("FwMark") == std::string::npos); // the automatic one (D5)
    CHECK(daemon.up("t")->value().warnings.empty());
    CHECK(daemon.reload("t")->value().steps.empty());
    world.bury_daemon();
    Daemon next(world);
    REQUIRE(next.recover()->has_value());
    CHECK(next.manager().tunnel(named("t"))->warnings.empty());
    REQUIRE(next.down("t")->has_value());
    CHECK(world.disk.clean());
}

TEST_CASE("a profile that has changed since is not saved over, unless by force") {
    World world;
    world.disk.put("t", kProfile);
    Daemon daemon(world);
    REQUIRE(daemon.up("t")->has_value());
    world.kernel.device("t")->listen_port = 4242;
    world.disk.put("t", kProfile + "# a note\n");
    const auto refused = daemon.manager().save(named("t"), false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kConflict);
    CHECK(refused.error().message.find("--force") != std::string::npos);
    CHECK(world.disk.text("t") == kProfile + "# a note\n");
    REQUIRE(daemon.manager().save(named("t"), true));
    CHECK(world.disk.text("t").find("# a note") != std::string::npos);
    CHECK(world.disk.text("t").find("4242") != std::string::npos);
}

TEST_CASE("SaveConfig saves on down, and never keeps a tunnel up") {
    World world;
    const std::string text = kProfile.substr(0, 12) + "SaveConfig = true\n" + kProfile.substr(12);
    world.disk.put("t", text);
    Daemon daemon(world);
    REQUIRE(daemon.up("t")->has_value());
    world.kernel.device("t")->listen_port = 4242;
    std::string expected = text;
    SECTION("what was changed") {
        expected.replace(expected.find("51820"), 5, "4242");
    }
    SECTION("not over a file that somebody edited") {
        expected += "# a note\n";
        world.disk.put("t", expected);
    }
    SECTION("not when it cannot be written") {
        world.faults.fail_if([](const std::string& what) { return what == "replace profile"; });
    }
    REQUIRE(daemon.down("t")->has_value());
    CHECK(world.disk.text("t") == expected);
    CHECK_FALSE(daemon.state("t"));
}

TEST_CASE("there is nothing to save of a tunnel that is not up") {
    World world;
    Daemon daemon(world);
    CHECK(daemon.manager().save(named("split"), false).error().code == ErrorCode::kNotFound);
}
