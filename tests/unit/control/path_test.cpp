// SPDX-License-Identifier: MIT
// mtu_probe: what was measured becomes the tunnel's MTU, is kept over a restart, and is forgotten with its
// path.
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

constexpr const char* kPeer = "198.51.100.9"; // vpn.example.net of furnish()

struct Scene {
    FakeWorld world;
    Settings settings;

    Scene() {
        furnish(world);
        world.disk.put("home", profile(""));
        settings.defaults.mtu_probe = true;
    }
    static std::string profile(const std::string& line) {
        return "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
               "Address = 10.5.0.2/32\n" +
               line +
               "[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"
               "Endpoint = 198.51.100.9:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n";
    }
    // Until what was announced is looked at, and what that led to is done.
    void settle() {
        world.time.advance(1s);
        world.turns.run();
        world.time.advance(1s);
        world.turns.run();
    }
};

TunnelView view(Daemon& daemon) {
    return *daemon.manager().tunnel(named("home"));
}

} // namespace

TEST_CASE("mtu_probe: off unless asked for, and for a profile with a number of its own") {
    Scene scene;
    SECTION("off") {
        scene.settings.defaults.mtu_probe = false;
    }
    SECTION("MTU = in the profile") {
        scene.world.disk.put("home", Scene::profile("MTU = 1300\n"));
    }
    scene.world.paths.set(kPeer, 1400);
    Daemon daemon(scene.world, scene.settings);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    scene.settle();
    CHECK(scene.world.paths.measured() == 0);
    CHECK(view(daemon).path_mtu == 0);
}

TEST_CASE("mtu_probe: the tunnel follows what the path carries, with the mark of its packets") {
    Scene scene;
    const std::string before = scene.world.kernel.dump();
    scene.world.paths.set(kPeer, 1400);
    Daemon daemon(scene.world, scene.settings);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    scene.settle();
    CHECK(scene.world.paths.measured() == 1);
    CHECK(scene.world.paths.last_mark() == view(daemon).fwmark);
    CHECK(view(daemon).mtu == 1320);
    CHECK(view(daemon).path_mtu == 1400);
    CHECK(view(daemon).warnings.empty());
    CHECK(view(daemon).drift_count == 0); // nobody has meddled

    SECTION("it becomes wider: seen at the next measurement") {
        scene.world.paths.set(kPeer, 1500);
        scene.settle();
        CHECK(view(daemon).mtu == 1320);
        scene.world.time.advance(PathWatch::kAgain);
        scene.settle();
        CHECK(view(daemon).mtu == 1420);
    }
    SECTION("the machine slept: measured at once") {
        scene.world.paths.set(kPeer, 1380);
        daemon.manager().time_passed("resume");
        scene.settle();
        CHECK(view(daemon).mtu == 1300);
    }
    SECTION("the first link changes: another path, measured anew") {
        scene.world.paths.set(kPeer, 9000);
        scene.world.kernel.delete_link("eth0");
        scene.world.kernel.add_link("wlan0", 1480);
        scene.world.kernel.add_route("0.0.0.0/0", "wlan0");
        scene.world.kernel.announce_change();
        scene.settle();
        CHECK(scene.world.paths.measured() == 2);
        CHECK(view(daemon).mtu == 1400);
    }
    SECTION("nobody answers any more: what is known is kept, and the silence told") {
        scene.world.paths.silence(kPeer);
        scene.world.time.advance(PathWatch::kAgain);
        scene.settle();
        CHECK(view(daemon).mtu == 1320);
        REQUIRE(view(daemon).warnings.size() == 1);
        CHECK(view(daemon).warnings.front().find("198.51.100.9 answers no echo request") !=
              std::string::npos);
    }
    REQUIRE(*daemon.down("home"));
    if (scene.world.kernel.has_link("eth0")) CHECK(scene.world.kernel.dump() == before);
    CHECK(scene.world.disk.clean());
}

TEST_CASE("mtu_probe: nobody answers, or nothing can be sent: the MTU is as without, and says so") {
    Scene scene;
    if (GENERATE(false, true)) scene.world.paths.refuse("cannot open a socket for echo requests");
    Daemon daemon(scene.world, scene.settings);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    scene.settle();
    CHECK(view(daemon).mtu == 1420);
    CHECK(view(daemon).path_mtu == 0);
    REQUIRE(view(daemon).warnings.size() == 1);
    CHECK(view(daemon).warnings.front().find("mtu_probe: ") == 0);
}

TEST_CASE("mtu_probe: a daemon that is started anew does not widen the tunnel meanwhile") {
    Scene scene;
    scene.world.paths.set(kPeer, 1400);
    {
        Daemon daemon(scene.world, scene.settings);
        REQUIRE(*daemon.recover());
        REQUIRE(*daemon.up("home"));
        scene.settle();
        REQUIRE(view(daemon).mtu == 1320);
    }
    scene.world.bury_daemon();
    scene.world.paths.silence(kPeer);
    Daemon daemon(scene.world, scene.settings);
    REQUIRE(*daemon.recover());
    scene.settle();
    CHECK(view(daemon).mtu == 1320);
    CHECK(view(daemon).path_mtu == 1400);
}

TEST_CASE("mtu_probe: a reload turns it on and off") {
    Scene scene;
    scene.world.paths.set(kPeer, 1400);
    Daemon daemon(scene.world);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    daemon.manager().read_settings_with([&] { return Result<Settings>(scene.settings); });
    REQUIRE(*daemon.reload("home"));
    scene.settle();
    CHECK(view(daemon).mtu == 1320);
    scene.settings.defaults.mtu_probe = false;
    REQUIRE(*daemon.reload("home"));
    scene.settle();
    CHECK(view(daemon).mtu == 1420);
    CHECK(view(daemon).path_mtu == 0);
}

TEST_CASE("mtu_probe: a closed kill switch lets the marked echo requests pass, and nobody else's") {
    Scene scene;
    scene.settings.defaults.kill_switch = plan::LockMode::kOn;
    scene.world.paths.set(kPeer, 1400);
    Daemon daemon(scene.world, scene.settings);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    const std::string lock = scene.world.kernel.table(std::string(plan::kLockTable));
    CHECK(lock.find("meta mark 0xca6c ip daddr { 198.51.100.9 } icmp type echo-request accept") !=
          std::string::npos);
    CHECK(lock.find("ip saddr { 198.51.100.9 } icmp type echo-reply ct state established accept") !=
          std::string::npos);
    CHECK(scene.world.kernel.table("wgd-home").find("{ udp, icmp, ipv6-icmp }") != std::string::npos);
}
