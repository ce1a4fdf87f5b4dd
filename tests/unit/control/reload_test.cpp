// SPDX-License-Identifier: MIT
// What a reload leaves alone, what it takes along, and when it does nothing.
#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

struct World : FakeWorld {
    World() { furnish(*this); }
    WgPeer& peer(const std::string& tunnel, const std::string& key) {
        for (WgPeer& peer : kernel.device(tunnel)->peers)
            if (peer.public_key.to_base64() == key) return peer;
        FAIL("no such peer");
        throw std::logic_error("unreachable");
    }
};

const std::string kInterface =
    "[Interface]\nPrivateKey = " + fakes::kPrivateKey + "\nAddress = 10.1.0.1/24\n";

std::string peer(const std::string& key, const std::string& more) {
    return "[Peer]\nPublicKey = " + key + "\n" + more;
}

bool mentions(const std::vector<std::string>& lines, const std::string& what) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

const Endpoint kElsewhere{*IpAddress::parse("203.0.113.50"), 9, 0};

} // namespace

TEST_CASE("a reload of what has not changed does nothing") {
    World world;
    for (const auto& profile : fakes::sample_profiles()) {
        INFO(profile.name);
        Daemon daemon(world);
        REQUIRE(daemon.up(profile.name)->has_value());
        const std::string before = world.kernel.dump();
        const int effects = world.faults.count();
        const auto done = daemon.reload(profile.name);
        REQUIRE((done && done->has_value()));
        CHECK((*done)->steps.empty());
        CHECK(world.faults.count() == effects);
        CHECK(world.kernel.dump() == before);
        REQUIRE(daemon.down(profile.name)->has_value());
    }
}

// Only what generated a key badly leaves bits that Curve25519 does not use; a device puts them right.
TEST_CASE("a private key that is not clamped comes up, and stays as the file has it") {
    World world;
    Daemon daemon(world);
    const std::string text = "[Interface]\nPrivateKey = //////////////////////////////////////////8=\n" +
                             peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n");
    world.disk.put("t", text);
    REQUIRE(daemon.up("t")->has_value());
    CHECK(daemon.reload("t")->value().steps.empty());
    CHECK(daemon.manager().save(named("t"), false)->empty());
    REQUIRE(daemon.down("t")->has_value());
}

// Reading it is what grows with its peers and cannot be helped: once to find the difference, and what is
// published afterwards comes from that.
TEST_CASE("a reload reads the device once") {
    World world;
    Daemon daemon(world);
    const std::string changed = peer(fakes::kPeerB, "AllowedIPs = 10.1.0.3/32\n");
    world.disk.put("t", kInterface + peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n"));
    REQUIRE(daemon.up("t")->has_value());
    world.time.advance(1h);
    int reads = 0;
    world.kernel.on_device_read = [&] {
        ++reads;
        world.time.sleep(100ms);
    };
    SECTION("of what has changed") {
        world.disk.put("t", kInterface + changed);
        REQUIRE(daemon.reload("t")->value().steps.size() == 1);
        CHECK(reads == 1);
        // Also seen from outside, and also at once.
        const auto view = daemon.manager().tunnel(named("t"));
        REQUIRE(view->peers.size() == 1);
        CHECK(view->peers[0].public_key.to_base64() == fakes::kPeerB);
        CHECK(reads == 1);
        CHECK(world.kernel.device("t")->peers.at(0).public_key.to_base64() == fakes::kPeerB);
    }
    SECTION("of what has not") {
        REQUIRE(daemon.reload("t")->value().steps.empty());
        CHECK(reads == 1);
    }
    SECTION("somebody else's change is seen all the same") {
        world.kernel.device("t")->peers.clear();
        REQUIRE(daemon.reload("t")->value().steps.size() == 1);
        CHECK(reads == 1);
        CHECK(world.kernel.device("t")->peers.size() == 1);
    }
}

TEST_CASE("a peer that stays the same keeps its session and the endpoint it roamed to") {
    World world;
    Daemon daemon(world);
    const std::string old_peer = peer(fakes::kPeerA, "Endpoint = 198.51.100.7:1\nAllowedIPs = 10.1.0.2/32\n");
    world.disk.put("t", kInterface + old_peer);
    REQUIRE(daemon.up("t")->has_value());
    WgPeer& before = world.peer("t", fakes::kPeerA);
    before.endpoint = kElsewhere;
    before.rx_bytes = 4711;
    world.disk.put("t", kInterface + "MTU = 1300\n" + peer(fakes::kPeerB, "AllowedIPs = 10.9.0.0/16\n") +
                            old_peer);
    const auto done = daemon.reload("t");
    REQUIRE(done->has_value());
    CHECK(mentions((*done)->steps, "10.9.0.0/16"));
    CHECK(mentions((*done)->steps, "mtu 1300"));
    CHECK_FALSE(mentions((*done)->steps, fakes::kPeerA)); // not a word to it
    CHECK(world.peer("t", fakes::kPeerA).endpoint == kElsewhere);
    CHECK(world.peer("t", fakes::kPeerA).rx_bytes == 4711);
    CHECK(daemon.manager().tunnel(named("t"))->mtu == 1300);
}

TEST_CASE("an Endpoint line that changed takes effect, wherever the peer is") {
    World world;
    Daemon daemon(world);
    const auto text = [](const std::string& endpoint) {
        return kInterface + peer(fakes::kPeerA, endpoint + "AllowedIPs = 10.1.0.2/32\n");
    };
    const bool had_one = GENERATE(true, false);
    world.disk.put("t", text(had_one ? "Endpoint = 198.51.100.7:1\n" : ""));
    REQUIRE(daemon.up("t")->has_value());
    world.peer("t", fakes::kPeerA).endpoint = kElsewhere;

    SECTION("an address") {
        world.disk.put("t", text("Endpoint = 198.51.100.8:2\n"));
        REQUIRE(daemon.reload("t")->has_value());
        CHECK(world.peer("t", fakes::kPeerA).endpoint->to_string() == "198.51.100.8:2");
    }
    SECTION("a name") {
        world.disk.put("t", text("Endpoint = vpn.example.net:2\n"));
        REQUIRE(daemon.reload("t")->has_value());
        CHECK(world.peer("t", fakes::kPeerA).endpoint->to_string() == "198.51.100.9:2");
        // From now on that is the one it may roam away from.
        world.peer("t", fakes::kPeerA).endpoint = kElsewhere;
        world.disk.put("t", text("Endpoint = vpn.example.net:2\n") + "# a comment\n");
        REQUIRE(daemon.reload("t")->value().steps.empty());
        CHECK(world.peer("t", fakes::kPeerA).endpoint == kElsewhere);
    }
    SECTION("a name without an address yet") {
        world.resolver.forget("vpn.example.net");
        world.disk.put("t", text("Endpoint = vpn.example.net:2\n"));
        const auto done = daemon.reload("t");
        REQUIRE(done->has_value());
        CHECK(mentions((*done)->warnings, "has no address yet"));
        CHECK(world.peer("t", fakes::kPeerA).endpoint == kElsewhere); // better than none
        world.resolver.know("vpn.example.net", "198.51.100.9");
        world.time.advance(1min);
        if (had_one) CHECK(world.peer("t", fakes::kPeerA).endpoint->to_string() == "198.51.100.9:2");
        CHECK(daemon.state("t") == TunnelState::kUp);
    }
    SECTION("one that left the profile leaves the peer where it is") {
        world.disk.put("t", text(""));
        REQUIRE(daemon.reload("t")->has_value());
        CHECK(world.peer("t", fakes::kPeerA).endpoint == kElsewhere);
    }
}

TEST_CASE("what left the profile leaves the tunnel") {
    World world;
    Daemon daemon(world);
    world.disk.put("t",
                   kInterface + "FwMark = 77\n" +
                       peer(fakes::kPeerA, "PresharedKey = " + fakes::kPresharedKey +
                                               "\nPersistentKeepalive = 25\nAllowedIPs = 10.1.0.2/32\n"));
    REQUIRE(daemon.up("t")->has_value());
    REQUIRE(world.kernel.device("t")->fwmark == 77);
    world.disk.put("t", kInterface + peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n"));
    REQUIRE(daemon.reload("t")->has_value());
    CHECK(world.peer("t", fakes::kPeerA).preshared_key.is_zero());
    CHECK(world.peer("t", fakes::kPeerA).persistent_keepalive == 0);
    CHECK(world.kernel.device("t")->fwmark == 0);
}

TEST_CASE("the automatic mark, its table and its rules stay (D1)") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    const std::uint32_t mark = world.kernel.device("full")->fwmark;
    const auto rules = world.kernel.rules();
    REQUIRE(mark != 0);
    for (const auto& profile : fakes::sample_profiles())
        if (profile.name == "full")
            world.disk.put("full", profile.text + peer(fakes::kPeerB, "AllowedIPs = 10.99.0.0/16\n"));
    REQUIRE(daemon.reload("full")->has_value());
    CHECK(world.kernel.device("full")->fwmark == mark);
    CHECK(world.kernel.rules() == rules);
}

TEST_CASE("a key and a port that the profile does not name stay (D2)") {
    World world;
    Daemon daemon(world);
    const std::string interface =
        "[Interface]\nAddress = 10.1.0.1/24\nPreUp = wg set %i private-key /dev/null\n";
    world.disk.put("t", interface + peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n"));
    REQUIRE(daemon.up("t")->has_value());
    world.kernel.device("t")->private_key = *PrivateKey::from_base64(fakes::kPrivateKey); // the hook's doing
    world.kernel.device("t")->listen_port = 40404;                                        // the kernel's
    world.disk.put("t", interface + peer(fakes::kPeerB, "AllowedIPs = 10.1.0.3/32\n"));
    REQUIRE(daemon.reload("t")->has_value());
    CHECK_FALSE(world.kernel.device("t")->private_key.is_zero());
    CHECK(world.kernel.device("t")->listen_port == 40404);
    CHECK(world.kernel.device("t")->peers.size() == 1);
}

TEST_CASE("hooks are not run by a reload, and those it came up with go down with it") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("hooks")->has_value());
    const auto run = world.kernel.hooks_run();
    world.disk.put("hooks", kInterface + "PostUp = make other\nPostDown = drop other\n");
    const auto done = daemon.reload("hooks");
    REQUIRE(done->has_value());
    CHECK(mentions((*done)->warnings, "a reload runs none"));
    CHECK(world.kernel.hooks_run() == run);
    REQUIRE(daemon.down("hooks")->has_value());
    const auto& all = world.kernel.hooks_run();
    CHECK(std::vector<std::string>(all.begin() + static_cast<long>(run.size()), all.end()) ==
          std::vector<std::string>{"PreDown: drop late hooks", "PostDown: drop early"});
}

TEST_CASE("a profile or settings that are wrong leave the tunnel as it is") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("split")->has_value());
    const std::string before = world.kernel.dump();
    const int effects = world.faults.count();
    SECTION("a profile that does not parse") {
        world.disk.put("split", "[Interface]\nPrivatKey = x\n");
        const auto done = daemon.reload("split");
        REQUIRE_FALSE(done->has_value());
        CHECK(done->error().code == ErrorCode::kParse);
    }
    SECTION("a profile that is gone") {
        world.disk.remove("split");
        CHECK(daemon.reload("split")->error().code == ErrorCode::kNotFound);
    }
    SECTION("settings") {
        daemon.manager().read_settings_with(
            []() -> Result<Settings> { return fail(ErrorCode::kParse, "wgd.toml:3: no such key"); });
        CHECK(daemon.reload("split")->error().message == "wgd.toml:3: no such key");
    }
    CHECK(daemon.state("split") == TunnelState::kUp);
    CHECK(world.kernel.dump() == before);
    CHECK(world.faults.count() == effects);
}

TEST_CASE("there is nothing to reload of a tunnel that is not up") {
    World world;
    Daemon daemon(world);
    CHECK(daemon.reload("split")->error().code == ErrorCode::kNotFound);
    CHECK(daemon.plan("split", "reload")->error().code == ErrorCode::kNotFound);
    REQUIRE(daemon.up("split")->has_value());
    world.kernel.delete_link("split");
    world.turns.run();
    CHECK(daemon.reload("split")->error().code == ErrorCode::kNotFound);
}

TEST_CASE("up of a tunnel whose profile changed leaves it, and points to reload") {
    World world;
    Daemon daemon(world);
    world.disk.put("t", kInterface);
    REQUIRE(daemon.up("t")->value().warnings.empty());
    world.disk.put("t", kInterface + peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n"));
    const int effects = world.faults.count();
    CHECK(mentions(daemon.up("t")->value().warnings, "wgctl reload t"));
    CHECK(world.faults.count() == effects);
    REQUIRE(daemon.reload("t")->has_value());
    CHECK(daemon.up("t")->value().warnings.empty());
    SECTION("and so does the daemon that takes it over") {
        world.disk.put("t", kInterface);
        world.bury_daemon();
        Daemon next(world);
        REQUIRE(next.recover()->has_value());
        CHECK(mentions(next.manager().tunnel(named("t"))->warnings, "wgctl reload t"));
        REQUIRE(next.reload("t")->has_value());
        CHECK(next.manager().tunnel(named("t"))->warnings.empty());
        CHECK(world.kernel.device("t")->peers.empty());
    }
}

TEST_CASE("while a reload waits for names, the tunnel is looked after, and down has the last word") {
    World world;
    Daemon daemon(world);
    world.disk.put("t", kInterface + peer(fakes::kPeerA, "AllowedIPs = 10.1.0.2/32\n"));
    REQUIRE(daemon.up("t")->has_value());
    world.disk.put("t", kInterface +
                            peer(fakes::kPeerA, "Endpoint = vpn.example.net:1\nAllowedIPs = 10.1.0.2/32\n"));
    world.resolver.hold("vpn.example.net");
    const int effects = world.faults.count();
    const auto reload = daemon.begin_reload("t");
    CHECK_FALSE(*reload);
    CHECK(world.faults.count() == effects);
    CHECK(daemon.state("t") == TunnelState::kUp);
    CHECK(daemon.reload("t")->error().code == ErrorCode::kBusy);
    SECTION("no longer than the settings say") {
        world.time.advance(5s);
        REQUIRE(*reload);
        CHECK((*reload)->has_value());
        world.resolver.release("vpn.example.net");
        CHECK(world.peer("t", fakes::kPeerA).endpoint->to_string() == "198.51.100.9:1");
    }
    SECTION("down") {
        REQUIRE(daemon.down("t")->has_value());
        REQUIRE(*reload);
        CHECK((*reload)->error().code == ErrorCode::kCancelled);
        CHECK_FALSE(daemon.state("t"));
        CHECK(world.time.armed() == 0);
    }
    SECTION("the link goes") {
        world.kernel.delete_link("t");
        world.turns.run();
        REQUIRE(*reload);
        CHECK((*reload)->error().code == ErrorCode::kCancelled);
        CHECK(daemon.state("t") == TunnelState::kFailed);
    }
    SECTION("the daemon goes") {
        CHECK(world.kernel.device("t")->peers.size() == 1);
    }
}

TEST_CASE("a reload cut short whose profile changed once more is left as it is, and says so") {
    World world;
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("split")->has_value());
        world.disk.put("split", kInterface);
        world.faults.clear();
        world.faults.crash_at(2, fakes::Faults::When::kAfter);
        (void)daemon.reload("split");
        REQUIRE(world.faults.dead());
    }
    world.bury_daemon();
    world.disk.put("split", kInterface + "MTU = 1300\n");
    const std::string between = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.recover()->has_value());
    CHECK(world.kernel.dump() == between);
    const auto view = daemon.manager().tunnel(named("split"));
    CHECK(view->state == TunnelState::kUp);
    CHECK(view->last_error.find("a reload finishes it") != std::string::npos);
    REQUIRE(daemon.reload("split")->has_value());
    CHECK(daemon.manager().tunnel(named("split"))->mtu == 1300);
    CHECK(daemon.manager().tunnel(named("split"))->last_error.empty());
}

TEST_CASE("a reload takes the settings of its tunnel along") {
    World world;
    Settings settings;
    Daemon daemon(world, settings);
    REQUIRE(daemon.up("hooks")->has_value());
    settings.defaults.hooks = false;
    daemon.manager().read_settings_with([&]() -> Result<Settings> { return settings; });
    const auto done = daemon.reload("hooks");
    REQUIRE(done->has_value());
    CHECK(mentions((*done)->warnings, "hooks = false"));
}

TEST_CASE("settings that cannot change while a tunnel is up are warned of, with their place") {
    World world;
    const std::string path = "/etc/wgd/wgd.toml";
    const auto settings = [&](const std::string& text) { return Settings::parse(text, path).value(); };
    Daemon daemon(world, settings("[tunnel.split]\nbackend = \"kernel\"\n"));
    world.probe.report.userspace = true;
    REQUIRE(daemon.up("split")->has_value());
    Settings now;
    daemon.manager().read_settings_with([&]() -> Result<Settings> { return now; });
    const auto expect = [&](const std::string& text, const std::string& warning) {
        INFO(text);
        now = settings(text);
        const auto plan = daemon.plan("split", "reload");
        REQUIRE(plan->has_value());
        CHECK(mentions((*plan)->warnings, warning));
        const auto done = daemon.reload("split");
        REQUIRE(done->has_value());
        CHECK(mentions((*done)->warnings, warning));
        CHECK((*done)->steps.empty());
    };
    expect("[tunnel.split]\n\nbackend = \"userspace\"\n",
           path + ":3: backend userspace waits until it is brought down and up again; it is kernel now");
    expect("[defaults]\nnetns = \"vpn\"\n[tunnel.split]\nbackend = \"kernel\"\n",
           path + ":2: netns \"vpn\" waits");
    now = settings("[tunnel.split]\nbackend = \"kernel\"\n");
    CHECK((*daemon.reload("split"))->warnings.empty());
    now = settings("[tunnel.split]\nkill_switch = true\n");
    REQUIRE(daemon.reload("split")->has_value());
    expect("[tunnel.split]\nkill_switch = false\n", path + ":2: the kill switch stays closed");
    expect("", "the settings no longer say kill_switch: the kill switch stays closed");
}
