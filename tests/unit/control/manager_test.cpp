// SPDX-License-Identifier: MIT
// The manager's verbs, and what happens to tunnels between them.
#include <algorithm>
#include <catch2/catch.hpp>

#include "common/model/marks.hpp"
#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

struct World : FakeWorld {
    World() { furnish(*this); }
};

std::size_t rules_of_mark(const FakeWorld& world, std::uint32_t mark) {
    const auto& rules = world.kernel.rules();
    return static_cast<std::size_t>(std::count_if(
        rules.begin(), rules.end(), [&](const plan::Rule& rule) { return rule.fwmark == mark; }));
}

std::size_t suppress_rules(const FakeWorld& world) {
    const auto& rules = world.kernel.rules();
    return static_cast<std::size_t>(std::count_if(rules.begin(), rules.end(), [](const plan::Rule& rule) {
        return rule.suppress_prefixlength.has_value();
    }));
}

bool mentions(const std::vector<std::string>& lines, const std::string& what) {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

const PublicKey kPeer = *PublicKey::from_base64(fakes::kPeerA);

// Writes down what an applet would be told.
struct Listener : ManagerObserver {
    std::vector<std::string> heard;
    void on_tunnel_added(const TunnelView& tunnel) override { heard.push_back("+" + tunnel.name.str()); }
    void on_tunnel_changed(const TunnelView& tunnel) override {
        heard.push_back(tunnel.name.str() + " " + std::string(to_string(tunnel.state)));
    }
    void on_tunnel_removed(const ProfileName& name) override { heard.push_back("-" + name.str()); }
    void on_lockdown_changed() override { heard.emplace_back("lockdown"); }
};

} // namespace

TEST_CASE("what an observer hears of a tunnel's life") {
    World world;
    Daemon daemon(world);
    Listener listener;
    daemon.manager().set_observer(&listener);
    REQUIRE(daemon.up("split")->has_value());
    REQUIRE(daemon.down("split")->has_value());
    CHECK(listener.heard == std::vector<std::string>{"+split", "split resolving", "split applying",
                                                     "split up", "split removing", "-split"});

    listener.heard.clear();
    world.faults.fail_if([](const std::string& what) { return what.find("route add") != std::string::npos; });
    REQUIRE_FALSE(daemon.up("split")->has_value());
    CHECK(listener.heard == std::vector<std::string>{"+split", "split resolving", "split applying",
                                                     "split rolling-back", "-split"});
}

TEST_CASE("a view shows the tunnel and no key") {
    World world;
    Daemon daemon(world);
    const auto view = daemon.up("split");
    REQUIRE(view->has_value());
    const TunnelView& tunnel = **view;
    CHECK(tunnel.interface == "split");
    CHECK(tunnel.ifindex != 0);
    CHECK(tunnel.listen_port == 51820);
    CHECK(tunnel.mtu == 1420);
    CHECK(tunnel.addresses.size() == 2);
    CHECK(tunnel.backend_reason == "the kernel has WireGuard: in-tree");
    REQUIRE(tunnel.peers.size() == 1);
    CHECK(tunnel.peers[0].has_preshared_key);
    CHECK(tunnel.peers[0].endpoint_spec == "198.51.100.7:51820");
    CHECK(tunnel.peers[0].endpoint->to_string() == "198.51.100.7:51820");
    CHECK(tunnel.peers[0].state == PeerState::kNever);
}

TEST_CASE("a profile that is wrong touches nothing and says where") {
    World world;
    world.disk.put("wrong", "[Interface]\nPrivateKey = x\nAdress = 10.0.0.1\n");
    Daemon daemon(world);
    const auto up = daemon.up("wrong");
    REQUIRE_FALSE(up->has_value());
    CHECK(up->error().code == ErrorCode::kParse);
    CHECK(up->error().message.find("/etc/wireguard/wrong.conf:2:") != std::string::npos);
    CHECK(up->error().message.find("/etc/wireguard/wrong.conf:3:") != std::string::npos);
    CHECK(world.faults.count() == 0);
    CHECK_FALSE(daemon.state("wrong"));

    const auto findings = daemon.manager().check(named("wrong"));
    REQUIRE(findings);
    CHECK(findings->size() >= 2);
    const auto list = daemon.manager().list_profiles();
    REQUIRE(list);
    for (const ProfileSummary& summary : *list)
        CHECK(summary.problem.empty() == (summary.name.str() != "wrong"));

    CHECK(daemon.up("nosuch")->error().code == ErrorCode::kNotFound);
    CHECK(daemon.down("split")->error().code == ErrorCode::kNotFound);
    CHECK(daemon.plan("split", "sideways")->error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE("plan says what up would do, and does nothing") {
    World world;
    Daemon daemon(world);
    const std::string before = world.kernel.dump();
    const auto plan = daemon.plan("full", "up");
    REQUIRE(plan->has_value());
    CHECK(world.faults.count() == 0);
    CHECK(world.kernel.dump() == before);
    CHECK((*plan)->steps.front() == "ip link add dev full type wireguard");
    CHECK(mentions((*plan)->steps, "ip -4 rule add not fwmark 0xca6c table 51820 priority 32765"));
    CHECK_FALSE(mentions((*plan)->steps, fakes::kPrivateKey));

    REQUIRE(daemon.up("full")->has_value());
    CHECK((*daemon.plan("full", "up"))->steps.empty());
    const auto down = daemon.plan("full", "down");
    REQUIRE(down->has_value());
    CHECK(mentions((*down)->steps, "ip link delete dev full"));
}

TEST_CASE("something that is not ours is in the way") {
    World world;
    Daemon daemon(world);
    SECTION("a link of that name") {
        world.kernel.add_link("full", 1500, "dummy");
    }
    SECTION("a WireGuard link of that name, made by somebody else") {
        world.kernel.add_link("full", 1420, "wireguard");
    }
    SECTION("a route") {
        world.kernel.add_route("10.7.0.0/16", "eth0");
    }
    const std::string before = world.kernel.dump();
    const auto up = daemon.up("full");
    REQUIRE_FALSE(up->has_value());
    CHECK(up->error().code == ErrorCode::kConflict);
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

// ---- backends

TEST_CASE("the backend is chosen, and the reason given") {
    World world;
    Settings settings;
    settings.tunnels["full"].backend = BackendPreference::kUserspace;
    SECTION("the kernel where it can") {
        Daemon daemon(world, settings);
        CHECK((*daemon.up("split"))->backend == plan::Backend::kKernel);
        CHECK((*daemon.up("full"))->backend == plan::Backend::kUserspace);
        CHECK(daemon.manager().backends().size() == 2);
    }
    SECTION("else userspace") {
        world.probe.report.kernel = false;
        world.probe.report.kernel_reason = "Operation not supported";
        Daemon daemon(world, settings);
        const auto view = daemon.up("split");
        CHECK((*view)->backend == plan::Backend::kUserspace);
        CHECK((*view)->backend_reason == "the kernel has no WireGuard: Operation not supported");
    }
    SECTION("else none") {
        world.probe.report = {false, "no module", false, "no program"};
        Daemon daemon(world, settings);
        const auto up = daemon.up("split");
        REQUIRE_FALSE(up->has_value());
        CHECK(up->error().code == ErrorCode::kUnsupported);
        CHECK(up->error().message.find("no module") != std::string::npos);
        CHECK(world.faults.count() == 0);
    }
}

// ---- names

TEST_CASE("a tunnel comes up without a name that does not resolve, and gets its endpoint later") {
    World world;
    world.turns.set_deferred(GENERATE(false, true));
    world.resolver.forget("vpn.example.net");
    Daemon daemon(world);
    const auto up = daemon.up("named");
    REQUIRE(up->has_value());
    CHECK(mentions((*up)->warnings, "vpn.example.net:51820 has no address yet"));
    CHECK_FALSE((*up)->peers[0].endpoint);
    const int asked = world.resolver.asked();

    SECTION("by retrying, less and less often") {
        for (int i = 0; i < 12; ++i) {
            world.time.advance(5s);
            world.turns.run();
        }
        const int after_a_minute = world.resolver.asked();
        CHECK(after_a_minute - asked == 3); // at 5, 15, 35 seconds
        world.resolver.know("vpn.example.net", "198.51.100.9");
        world.time.advance(5min);
        world.turns.run();
    }
    SECTION("soon after the network changed") {
        world.time.advance(40s);
        world.turns.run();
        world.resolver.know("vpn.example.net", "198.51.100.9");
        world.kernel.announce_change();
        world.time.advance(1s);
    }
    world.turns.run();
    const auto view = daemon.manager().tunnel(named("named"));
    REQUIRE(view->peers[0].endpoint);
    CHECK(view->peers[0].endpoint->to_string() == "198.51.100.9:51820");
    CHECK(view->state == TunnelState::kUp);
    CHECK(view->warnings.empty());
    CHECK(world.disk.undo().empty());

    // Found is found: asked once more for the last change of the network, and then each half hour, for which
    // an answer without a TTL holds.
    const int found = world.resolver.asked();
    world.time.advance(1h);
    CHECK(world.resolver.asked() - found <= 3);
    REQUIRE(daemon.down("named")->has_value());
    CHECK(world.time.armed() == 0);
}

TEST_CASE("a name that does not answer does not hold a tunnel up for longer than the settings say") {
    World world;
    world.resolver.hold("vpn.example.net");
    Daemon daemon(world);
    const auto up = daemon.begin_up("named");
    CHECK_FALSE(*up);
    CHECK(daemon.state("named") == TunnelState::kResolving);
    CHECK(daemon.up("named")->error().code == ErrorCode::kBusy);
    world.time.advance(4s);
    CHECK_FALSE(*up);
    world.time.advance(1s);
    REQUIRE(*up);
    CHECK((*up)->has_value());
    world.resolver.release("vpn.example.net");
    CHECK(daemon.manager().tunnel(named("named"))->peers[0].endpoint);
}

TEST_CASE("down cancels an up that is still resolving") {
    World world;
    world.resolver.hold("vpn.example.net");
    Daemon daemon(world);
    const auto up = daemon.begin_up("named");
    REQUIRE(daemon.down("named")->has_value());
    REQUIRE(*up);
    CHECK((*up)->error().code == ErrorCode::kCancelled);
    CHECK(world.faults.count() == 0);
    world.resolver.release("vpn.example.net"); // nobody listens any more
    world.time.advance(1h);
    CHECK_FALSE(daemon.state("named"));
    CHECK(world.faults.count() == 0);
}

TEST_CASE("a peer that roamed keeps its endpoint when another peer's name resolves") {
    World world;
    world.disk.put("two", "[Interface]\nPrivateKey = " + fakes::kPrivateKey +
                              "\n[Peer]\nPublicKey = " + fakes::kPeerA +
                              "\nEndpoint = 198.51.100.7:1\nAllowedIPs = 10.1.0.1/32\n[Peer]\nPublicKey = " +
                              fakes::kPeerB + "\nEndpoint = late.example.net:2\nAllowedIPs = 10.1.0.2/32\n");
    Daemon daemon(world);
    REQUIRE(daemon.up("two")->has_value());
    world.kernel.device("two")->peers.at(0).endpoint = Endpoint{*IpAddress::parse("203.0.113.50"), 9, 0};
    world.resolver.know("late.example.net", "198.51.100.8");
    world.time.advance(10s);
    CHECK(world.kernel.device("two")->peers.at(0).endpoint->to_string() == "203.0.113.50:9");
    CHECK(world.kernel.device("two")->peers.at(1).endpoint->to_string() == "198.51.100.8:2");
}

TEST_CASE("an address whose family cannot be used is passed over") {
    World world;
    world.kernel.set_ipv6(false);
    world.disk.put("dual", "[Interface]\nPrivateKey = " + fakes::kPrivateKey +
                               "\nAddress = 10.1.0.1/32\n[Peer]\nPublicKey = " + fakes::kPeerA +
                               "\nEndpoint = dual.example.net:1\nAllowedIPs = 10.2.0.0/16\n");
    world.resolver.know("dual.example.net", "2001:db8::7");
    world.resolver.know("dual.example.net", "198.51.100.7");
    Daemon daemon(world);
    const auto up = daemon.up("dual");
    REQUIRE(up->has_value());
    CHECK((*up)->peers[0].endpoint->address.is_v4());
}

TEST_CASE("an endpoint that resolves late survives a crash while it is set") {
    for (int n = 0;; ++n) {
        INFO("effect " << n);
        World world;
        world.resolver.forget("vpn.example.net");
        {
            Daemon daemon(world);
            REQUIRE(daemon.up("named")->has_value());
            world.resolver.know("vpn.example.net", "198.51.100.9");
            world.faults.clear();
            world.faults.crash_at(n, fakes::Faults::When::kAfter);
            world.time.advance(10s);
            if (!world.faults.dead()) break;
        }
        world.bury_daemon();
        Daemon daemon(world);
        REQUIRE(daemon.recover()->has_value());
        CHECK(daemon.state("named") == TunnelState::kUp);
        CHECK(world.kernel.device("named")->peers.at(0).endpoint.has_value());
        REQUIRE(daemon.down("named")->has_value());
        CHECK(world.disk.clean());
    }
}

// ---- several full tunnels

TEST_CASE("full tunnels share nothing, in whatever order they go") {
    World world;
    world.turns.set_deferred(GENERATE(false, true));
    world.probe.report.kernel = GENERATE(true, false);
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    std::vector<std::string> names{"full", "full4", "full6"};
    std::sort(names.begin(), names.end());
    do {
        INFO(names[0] << " " << names[1] << " " << names[2]);
        for (const std::string& name : names)
            REQUIRE(daemon.up(name)->has_value());
        CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "1");
        CHECK(suppress_rules(world) == 4); // full has two families
        std::set<std::uint32_t> marks;
        for (const std::string& name : names)
            marks.insert(world.kernel.device(name)->fwmark);
        CHECK(marks == std::set<std::uint32_t>{kFirstAutoMark, kFirstAutoMark + 1, kFirstAutoMark + 2});

        REQUIRE(daemon.down(names[1])->has_value());
        CHECK(suppress_rules(world) == (names[1] == "full" ? 2 : 3)); // D3: the others keep theirs
        if (names[1] != "full4") {
            CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "1"); // D12: still needed
        }
        REQUIRE(daemon.down(names[0])->has_value());
        REQUIRE(daemon.down(names[2])->has_value());
        CHECK(world.kernel.dump() == before);
        CHECK(world.disk.clean());
    } while (std::next_permutation(names.begin(), names.end()));
}

TEST_CASE("two full tunnels coming up at the same time never share a mark (D4)") {
    // Every interleaving that one turn of the loop at a time can give: `head` turns go by before the second
    // begins.
    for (int head = 0; head < 14; ++head) {
        for (const bool first_fails : {false, true}) {
            INFO("second begins after " << head << " turns, first fails: " << first_fails);
            World world;
            world.turns.set_deferred(true);
            world.probe.report.kernel = false;
            const std::string before = world.kernel.dump();
            Daemon daemon(world);
            const auto first = daemon.begin_up("full");
            for (int i = 0; i < head; ++i)
                world.turns.run_one();
            const auto second = daemon.begin_up("full4");
            if (first_fails) {
                int n = 0;
                world.faults.fail_if([n](const std::string& what) mutable {
                    return what.find("rule add not fwmark 0xca6c") != std::string::npos && ++n == 1;
                });
            }
            world.turns.run();
            REQUIRE((*first && *second));
            REQUIRE((*second)->has_value());
            const std::uint32_t mark = world.kernel.device("full4")->fwmark;
            CHECK(rules_of_mark(world, mark) == 1);
            CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) ==
                  "1"); // whatever became of the first
            if ((*first)->has_value()) {
                CHECK(world.kernel.device("full")->fwmark != mark);
                CHECK(rules_of_mark(world, world.kernel.device("full")->fwmark) == 2);
                world.faults.fail_if(nullptr);
                REQUIRE(daemon.down("full")->has_value());
                CHECK(rules_of_mark(world, mark) == 1);
                CHECK(suppress_rules(world) == 1);
            }
            world.faults.fail_if(nullptr);
            REQUIRE(daemon.down("full4")->has_value());
            CHECK(world.kernel.dump() == before);
            CHECK(world.disk.clean());
        }
    }
}

TEST_CASE("one tunnel going down while another comes up leaves it what it needs") {
    for (int head = 0; head < 12; ++head) {
        INFO("up begins " << head << " turns into down");
        World world;
        world.turns.set_deferred(true);
        const std::string before = world.kernel.dump();
        Daemon daemon(world);
        REQUIRE(daemon.up("full")->has_value());
        const auto down = daemon.begin_down("full");
        for (int i = 0; i < head; ++i)
            world.turns.run_one();
        const auto up = daemon.begin_up("full4");
        world.turns.run();
        REQUIRE((*down && (*down)->has_value()));
        REQUIRE((*up && (*up)->has_value()));
        CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "1");
        REQUIRE(daemon.down("full4")->has_value());
        CHECK(world.kernel.dump() == before);
        CHECK(world.disk.clean());
    }
}

TEST_CASE("a second verb on a tunnel that is being worked on is refused") {
    World world;
    world.turns.set_deferred(true);
    Daemon daemon(world);
    const auto up = daemon.begin_up("split");
    world.turns.run_one();
    REQUIRE(daemon.state("split") == TunnelState::kApplying);
    const auto again = daemon.begin_up("split");
    const auto down = daemon.begin_down("split");
    REQUIRE((*again && *down));
    CHECK((*again)->error().code == ErrorCode::kBusy);
    CHECK((*down)->error().code == ErrorCode::kBusy);
    world.turns.run();
    CHECK((*up)->has_value());
}

// ---- what others do

TEST_CASE("a tunnel whose link somebody deletes fails, and leaves nothing behind") {
    World world;
    world.turns.set_deferred(GENERATE(false, true));
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    world.kernel.delete_link("full");
    world.turns.run();
    CHECK(daemon.state("full") == TunnelState::kFailed);
    CHECK(daemon.manager().tunnel(named("full"))->last_error.find("deleted by somebody else") !=
          std::string::npos);
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
    SECTION("it can be brought up again") {
        REQUIRE(daemon.up("full")->has_value());
    }
    REQUIRE(daemon.down("full")->has_value());
    CHECK_FALSE(daemon.state("full"));
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("a tunnel whose datapath dies fails and says how") {
    World world;
    world.probe.report.kernel = false;
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    world.kernel.kill_datapath("full", "killed by signal 9");
    world.turns.run();
    const auto view = daemon.manager().tunnel(named("full"));
    CHECK(view->state == TunnelState::kFailed);
    CHECK(view->last_error == "its datapath ended: killed by signal 9");
    CHECK(view->backend == plan::Backend::kUserspace);
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

TEST_CASE("late news of an earlier link of the same name is not believed") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    REQUIRE(daemon.down("full")->has_value());
    REQUIRE(daemon.up("full")->has_value());
    world.kernel.announce_link_gone("full");
    CHECK(daemon.state("full") == TunnelState::kUp);
}

TEST_CASE("a link that disappears in the middle of up undoes the rest") {
    World world;
    world.turns.set_deferred(true);
    world.probe.report.kernel = false;
    const std::string before = world.kernel.dump();
    for (int turns = 1; turns < 14; ++turns) {
        INFO("after " << turns << " turns");
        Daemon daemon(world);
        const auto up = daemon.begin_up("full");
        for (int i = 0; i < turns; ++i)
            world.turns.run_one();
        if (!world.kernel.has_link("full")) continue;
        world.kernel.kill_datapath("full", "exited with status 1");
        world.turns.run();
        REQUIRE(*up);
        CHECK(world.kernel.dump() == before);
        CHECK(world.disk.clean());
    }
}

// ---- restarts

TEST_CASE("a restart takes tunnels over without touching them") {
    World world;
    world.probe.report.kernel = false;
    std::string up;
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("full")->has_value());
        REQUIRE(daemon.up("named")->has_value());
        up = world.kernel.dump();
    }
    const std::string profile_change =
        GENERATE(std::string("none"), std::string("edited"), std::string("removed"));
    if (profile_change == "edited")
        world.disk.put("full", "[Interface]\nPrivateKey = " + fakes::kPrivateKey + "\n");
    if (profile_change == "removed") world.disk.remove("full");
    world.bury_daemon();
    Daemon daemon(world);
    REQUIRE(daemon.recover()->has_value());
    CHECK(world.kernel.dump() == up);
    CHECK(daemon.state("full") == TunnelState::kUp);
    CHECK(daemon.state("named") == TunnelState::kUp);
    CHECK(world.kernel.watched("full"));
    CHECK(world.faults.count() == 0);
    CHECK(daemon.manager().tunnel(named("full"))->backend == plan::Backend::kUserspace);
    REQUIRE(daemon.down("full")->has_value());
    REQUIRE(daemon.down("named")->has_value());
    CHECK(world.disk.clean());
}

TEST_CASE("a link that went while the daemon was away has its leftovers removed") {
    World world;
    const std::string before = world.kernel.dump();
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("full")->has_value());
        REQUIRE(daemon.up("full4")->has_value());
    }
    world.bury_daemon();
    world.kernel.delete_link("full");
    Daemon daemon(world);
    REQUIRE(daemon.recover()->has_value());
    CHECK_FALSE(daemon.state("full"));
    CHECK(daemon.state("full4") == TunnelState::kUp);
    CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "1");
    CHECK(suppress_rules(world) == 1);
    REQUIRE(daemon.down("full4")->has_value());
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

TEST_CASE("a tunnel whose record was lost is taken over by its marks") {
    World world;
    const std::string before = world.kernel.dump();
    {
        Daemon daemon(world);
        REQUIRE(daemon.up("full")->has_value());
    }
    world.bury_daemon();
    SECTION("lost") {
        world.disk.records().clear();
    }
    SECTION("unreadable") {
        world.disk.records()["full"] = "{\"version\": 99}";
    }
    Daemon daemon(world);
    REQUIRE(daemon.recover()->has_value());
    CHECK(daemon.state("full") == TunnelState::kUp);
    REQUIRE(daemon.down("full")->has_value());
    world.kernel.set_sysctl(std::string(plan::kSrcValidMark),
                            "0"); // the one thing that was written nowhere else
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("an up cut short does not take back what a tunnel that is up needs") {
    World world;
    {
        Daemon daemon(world);
        const auto first = [&] {
            world.turns.set_deferred(true);
            const auto answer = daemon.begin_up("full");
            while (world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "0" && world.turns.run_one()) {
            }
            return answer;
        }();
        REQUIRE_FALSE(*first); // in the middle: its undo log says src_valid_mark was 0
        const auto second = daemon.begin_up("full4");
        while (!*second && world.turns.run_one()) {
        }
        REQUIRE((*second && (*second)->has_value()));
        if (*first) return; // cannot happen with as many steps as "full" has
    }
    world.bury_daemon();
    world.turns.set_deferred(false);
    Daemon daemon(world);
    REQUIRE(daemon.recover()->has_value());
    CHECK(daemon.state("full4") == TunnelState::kUp);
    CHECK(world.kernel.sysctl(std::string(plan::kSrcValidMark)) == "1");
}

// ---- size

TEST_CASE("ten thousand routes that complete at once need no stack") {
    World world;
    std::string text = "[Interface]\nPrivateKey = " + fakes::kPrivateKey +
                       "\n[Peer]\nPublicKey = " + fakes::kPeerA + "\nAllowedIPs = ";
    for (int i = 0; i < 10'000; ++i)
        text += (i == 0 ? "" : ", ") + std::string("10.") + std::to_string(i / 250) + "." +
                std::to_string(i % 250) + ".0/24";
    world.disk.put("many", text + "\n");
    Daemon daemon(world);
    REQUIRE(daemon.up("many")->has_value());
    CHECK(world.kernel.routes().size() > 10'000);
    REQUIRE(daemon.down("many")->has_value());
}
