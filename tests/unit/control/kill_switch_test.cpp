// SPDX-License-Identifier: MIT
// The kill switch through a tunnel's life: closed before the first step, through everything that can go
// wrong, until `down`. What its rules do to packets is tests/attacks' business.
#include <catch2/catch.hpp>

#include "common/model/marks.hpp"
#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;

namespace {

const std::string kTable(plan::kLockTable);

Settings locked(plan::LockMode mode = plan::LockMode::kOn) {
    Settings settings;
    settings.defaults.kill_switch = mode;
    return settings;
}

// Its endpoint is an address; "named" has a host name.
constexpr const char* kProfile = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
                                 "Address = 10.5.0.2/32\n[Peer]\n"
                                 "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"
                                 "Endpoint = 203.0.113.1:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n";

struct Scene {
    FakeWorld world;
    Scene() {
        furnish(world);
        world.disk.put("home", kProfile);
        std::string named = kProfile;
        named.replace(named.find("203.0.113.1"), 11, "vpn.example.net");
        world.disk.put("named", named);
    }
    bool closed() { return world.kernel.has_table(kTable); }
    bool lets(const std::string& rule) {
        return closed() && world.kernel.table(kTable).find(rule) != std::string::npos;
    }
};

bool contains(const std::string& text, const std::string& what) {
    return text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("kill switch: closed by up, told of the endpoint, opened by down, nothing left") {
    Scene scene;
    const std::string before = scene.world.kernel.dump();
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    CHECK(scene.lets("oifname \"home\" accept"));
    CHECK(scene.lets("meta mark 0xca6c ip daddr . udp dport { 203.0.113.1 . 51820 } accept"));
    CHECK_FALSE(scene.lets("dport 53"));
    CHECK(scene.world.kernel.sysctl(std::string(plan::kArpIgnore)) == "1");
    CHECK(daemon.manager().tunnel(named("home"))->kill_switch == plan::LockMode::kOn);
    REQUIRE(*daemon.down("home"));
    CHECK(scene.world.kernel.dump() == before);
    CHECK(scene.world.disk.clean());
}

TEST_CASE("kill switch: closed before anything else is done") {
    Scene scene;
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    const auto plan = daemon.plan("home", "up");
    REQUIRE(*plan);
    CHECK(contains((**plan).steps.front(), "table inet wgd-lock"));
    CHECK_FALSE(scene.closed()); // a plan touches nothing
    // The first operation of all that fails is the closing: then nothing else was touched.
    const std::string before = scene.world.kernel.dump();
    scene.world.kernel.set_nftables("nftables cannot be used here: Operation not supported");
    const auto refused = daemon.up("home");
    REQUIRE(refused);
    REQUIRE_FALSE(*refused);
    CHECK(contains(refused->error().message, "the kill switch cannot be closed"));
    CHECK(scene.world.kernel.dump() == before);
    CHECK(scene.world.disk.clean());
    CHECK_FALSE(daemon.state("home"));
}

TEST_CASE("kill switch: an up that fails leaves it closed, and down opens it") {
    Scene scene;
    const std::string before = scene.world.kernel.dump();
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    std::string failing = kProfile;
    failing.replace(failing.find("Address"), 0, "PreUp = false\n");
    scene.world.disk.put("home", failing);
    const auto failed = daemon.up("home");
    REQUIRE_FALSE(*failed);
    CHECK(scene.closed());
    REQUIRE(daemon.state("home") == TunnelState::kFailed);
    CHECK(
        contains(daemon.manager().tunnel(named("home"))->last_error, "stays closed until `wgctl down home`"));

    SECTION("down") {
        REQUIRE(*daemon.down("home"));
    }
    SECTION("another try that succeeds, then down") {
        scene.world.disk.put("home", kProfile);
        REQUIRE(*daemon.up("home"));
        REQUIRE(*daemon.down("home"));
    }
    CHECK_FALSE(scene.closed());
    CHECK(scene.world.kernel.dump() == before);
    CHECK(scene.world.disk.clean());
}

TEST_CASE("kill switch: it survives the daemon, with and without the tunnel") {
    Scene scene;
    const std::string before = scene.world.kernel.dump();
    {
        Daemon daemon(scene.world, locked());
        REQUIRE(*daemon.recover());
        REQUIRE(*daemon.up("home"));
    }
    scene.world.bury_daemon();
    const std::string table = scene.world.kernel.table(kTable);
    SECTION("the tunnel is there") {
        Daemon daemon(scene.world, locked());
        REQUIRE(*daemon.recover());
        CHECK(daemon.state("home") == TunnelState::kUp);
        CHECK(scene.world.kernel.table(kTable) == table);
        REQUIRE(*daemon.down("home"));
    }
    SECTION("the settings say no longer that it should be: it stays until down") {
        Daemon daemon(scene.world, Settings{});
        REQUIRE(*daemon.recover());
        CHECK(scene.world.kernel.table(kTable) == table);
        REQUIRE(*daemon.down("home"));
    }
    SECTION("the table was removed meanwhile") {
        scene.world.kernel.remove_table(kTable);
        Daemon daemon(scene.world, locked());
        REQUIRE(*daemon.recover());
        CHECK(scene.world.kernel.table(kTable) == table);
        REQUIRE(*daemon.down("home"));
    }
    SECTION("the link is gone") {
        scene.world.kernel.delete_link("home");
        Daemon daemon(scene.world, locked());
        REQUIRE(*daemon.recover());
        CHECK(daemon.state("home") == TunnelState::kFailed);
        CHECK(scene.world.kernel.table(kTable) == table);
        REQUIRE(*daemon.down("home"));
    }
    CHECK(scene.world.kernel.dump() == before);
    CHECK(scene.world.disk.clean());
}

TEST_CASE("kill switch: what was written down is lost, or of another version: closed in doubt") {
    Scene scene;
    const std::string before = scene.world.kernel.dump();
    const std::string lost = GENERATE("", "{\"version\":2}", "garbage");
    Settings settings = locked();
    settings.lockdown = GENERATE(plan::LockMode::kOff, plan::LockMode::kOn);
    {
        Daemon daemon(scene.world, settings);
        REQUIRE(*daemon.recover());
        REQUIRE(*daemon.up("home"));
    }
    scene.world.bury_daemon();
    REQUIRE(scene.world.disk.save_lock(lost));
    const std::string table = scene.world.kernel.table(kTable);
    bool opened = false; // looked at before every change of the world; none is made to fail
    scene.world.faults.fail_if([&](const std::string&) {
        opened = opened || !scene.closed();
        return false;
    });

    SECTION("the tunnel is up: it closes again what it had closed") {
        Daemon daemon(scene.world, settings);
        REQUIRE(*daemon.recover());
        CHECK(daemon.state("home") == TunnelState::kUp);
        CHECK(scene.world.kernel.table(kTable) == table);
        CHECK_FALSE(opened);
        scene.world.faults.fail_if(nullptr);
        REQUIRE(*daemon.down("home"));
        daemon.manager().set_settings(Settings{});
        scene.world.turns.run();
        CHECK(scene.world.kernel.dump() == before);
        CHECK(scene.world.disk.clean());
    }
    SECTION("nobody is up, and nobody wants it: it stays if it may have been somebody's") {
        scene.world.kernel.delete_link("home");
        scene.world.disk.records().clear();
        Daemon daemon(scene.world, Settings{});
        REQUIRE(*daemon.recover());
        CHECK(scene.closed() == !lost.empty());
    }
    SECTION("nobody is up, and lockdown wants it") {
        scene.world.kernel.delete_link("home");
        scene.world.disk.records().clear();
        settings.lockdown = plan::LockMode::kOn;
        Daemon daemon(scene.world, settings);
        REQUIRE(*daemon.recover());
        CHECK(scene.closed());
        CHECK_FALSE(scene.lets("oifname \"home\" accept"));
        CHECK_FALSE(opened);
    }
    scene.world.faults.fail_if(nullptr);
}

TEST_CASE("lockdown: nothing that can be read is written down and no table is there: closed") {
    Scene scene;
    REQUIRE(scene.world.disk.save_lock("garbage"));
    Settings settings;
    settings.lockdown = plan::LockMode::kOn;
    Daemon daemon(scene.world, settings);
    REQUIRE(*daemon.recover());
    CHECK(scene.closed());
}

TEST_CASE("kill switch: a daemon that dies at any point of up leaves it closed or untouched, never half") {
    const auto when = GENERATE(fakes::Faults::When::kBefore, fakes::Faults::When::kAfter);
    for (int n = 0;; ++n) {
        Scene scene;
        const std::string before = scene.world.kernel.dump();
        {
            Daemon daemon(scene.world, locked());
            REQUIRE(*daemon.recover());
            scene.world.faults.crash_at(n, when);
            const auto up = daemon.up("home");
            if (!scene.world.faults.triggered()) {
                CHECK(n > 5);
                break;
            }
        }
        scene.world.bury_daemon();
        // Something of the tunnel is there: then the switch is closed.
        if (scene.world.kernel.has_link("home")) CHECK(scene.closed());
        Daemon daemon(scene.world, locked());
        REQUIRE(*daemon.recover());
        const auto state = daemon.state("home");
        if (state) {
            CHECK(scene.closed());
            REQUIRE(*daemon.down("home"));
        }
        CHECK(scene.world.kernel.dump() == before);
        CHECK(scene.world.disk.clean());
    }
}

TEST_CASE("kill switch: a link that is lost leaves it closed") {
    Scene scene;
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    scene.world.kernel.delete_link("home");
    scene.world.turns.run();
    CHECK(daemon.state("home") == TunnelState::kFailed);
    CHECK(scene.closed());
    REQUIRE(*daemon.down("home"));
    CHECK_FALSE(scene.closed());
}

TEST_CASE("kill switch: somebody else's change to it is put back") {
    Scene scene;
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    const std::string table = scene.world.kernel.table(kTable);
    scene.world.kernel.remove_table(kTable);
    scene.world.kernel.announce_change();
    scene.world.turns.run();
    CHECK(scene.world.kernel.table(kTable) == table);
}

TEST_CASE("kill switch: an endpoint that is a name: wgd's own question passes, with the tunnel's mark") {
    Scene scene;
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    const auto answer = daemon.begin_up("named");
    CHECK(scene.lets("meta mark 0xca6c meta l4proto { tcp, udp } th dport 53"));
    scene.world.turns.run();
    REQUIRE(*answer);
    REQUIRE(**answer);
    CHECK(scene.lets("198.51.100.9 . 51820"));
}

TEST_CASE("kill switch: several tunnels share one table; the local network is allowed if all allow it") {
    Scene scene;
    Settings settings;
    settings.tunnels["home"].kill_switch = plan::LockMode::kLan;
    settings.tunnels["named"].kill_switch = plan::LockMode::kOn;
    Daemon daemon(scene.world, settings);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    CHECK(scene.lets("ip daddr { 10.0.0.0/8, 169.254.0.0/16"));
    CHECK(daemon.manager().tunnel(named("home"))->kill_switch == plan::LockMode::kLan);
    REQUIRE(*daemon.up("named"));
    CHECK_FALSE(scene.lets("ip daddr { 10.0.0.0/8, 169.254.0.0/16"));
    CHECK(scene.lets("oifname \"home\" accept"));
    CHECK(scene.lets("oifname \"named\" accept"));
    REQUIRE(*daemon.down("home"));
    CHECK(scene.closed());
    CHECK_FALSE(scene.lets("oifname \"home\" accept"));
    REQUIRE(*daemon.down("named"));
    CHECK_FALSE(scene.closed());
}

// What the old address sent in the very moment of the change: no name's look-ups would ever notice.
TEST_CASE("kill switch: a reload gave another number, and the device roamed back to where nothing passes") {
    using namespace std::chrono_literals;
    Scene scene;
    Daemon daemon(scene.world, locked());
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    const auto endpoint = [&]() -> std::optional<Endpoint>& {
        return scene.world.kernel.device("home")->peers.at(0).endpoint;
    };
    const auto old = endpoint();
    scene.world.time.advance(1h);
    std::string moved = kProfile;
    moved.replace(moved.find("203.0.113.1"), 11, "203.0.113.9");
    scene.world.disk.put("home", moved);
    REQUIRE(daemon.reload("home")->has_value());
    CHECK(endpoint()->to_string() == "203.0.113.9:51820");
    endpoint() = old;
    scene.world.time.advance(2s);
    scene.world.turns.run();
    CHECK(endpoint()->to_string() == "203.0.113.9:51820");
    // It is not looked after for ever.
    scene.world.time.advance(1h);
    endpoint() = old;
    scene.world.time.advance(1h);
    scene.world.turns.run();
    CHECK(endpoint() == old);
}

TEST_CASE("lockdown: closed without a tunnel, around every tunnel, and after down") {
    Scene scene;
    Settings settings;
    settings.lockdown = plan::LockMode::kOn;
    Daemon daemon(scene.world, settings);
    REQUIRE(*daemon.recover());
    CHECK(scene.closed());
    REQUIRE(*daemon.up("home"));
    CHECK(scene.lets("oifname \"home\" accept"));
    REQUIRE(*daemon.down("home"));
    CHECK(scene.closed());
    CHECK_FALSE(scene.lets("oifname \"home\" accept"));
    daemon.manager().set_settings(Settings{});
    scene.world.turns.run();
    CHECK_FALSE(scene.closed());
}

TEST_CASE("lockdown: turned on while a tunnel is up, that tunnel goes on") {
    Scene scene;
    Daemon daemon(scene.world);
    REQUIRE(*daemon.recover());
    REQUIRE(*daemon.up("home"));
    Settings settings;
    settings.lockdown = plan::LockMode::kOn;
    daemon.manager().set_settings(settings);
    scene.world.turns.run();
    CHECK(scene.lets("oifname \"home\" accept"));
    CHECK(scene.lets("203.0.113.1 . 51820"));
}

TEST_CASE("kill switch: what is written down is read again") {
    KillSwitch::Holds holds;
    KillSwitch::Hold& hold = holds[named("home")];
    hold.passes.link = "home";
    hold.passes.fwmark = 51821;
    hold.passes.endpoints = {*Endpoint::parse("192.0.2.1:1"), *Endpoint::parse("[2001:db8::1]:2")};
    hold.passes.excluded = {*IpPrefix::parse("203.0.113.0/24")};
    hold.passes.asks_names = hold.passes.probes = hold.allow_lan = true;
    CHECK(*holds_from_json(to_json(holds)) == holds);
    for (const char* text :
         {"", "{}", "[]", "{\"version\":2,\"tunnels\":{}}", "{\"version\":1,\"tunnels\":{\"../x\":{}}}",
          "{\"version\":1,\"tunnels\":{\"a\":{}}}"})
        CHECK_FALSE(holds_from_json(text));
}
