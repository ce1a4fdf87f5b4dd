// SPDX-License-Identifier: MIT
// Somebody takes things away from a tunnel that is up.
#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

struct World : FakeWorld {
    World() { furnish(*this); }
    // Somebody else's doing, as the monitor tells it, and time enough to react.
    void somebody_does(const plan::Op& op) {
        REQUIRE(kernel.apply(op).has_value());
        kernel.announce_change();
    }
    void wait(Duration by = 1s) {
        time.advance(by);
        turns.run();
    }
    // What undoes each thing that a tunnel has.
    std::vector<plan::Op> sabotage(const std::string& name) {
        std::vector<plan::Op> ops;
        for (const plan::Route& route : kernel.routes())
            if (route.link == name && route.protocol == 199) ops.push_back(plan::RemoveRoute{route});
        for (const plan::Rule& rule : kernel.rules())
            if (rule.protocol == 199) ops.push_back(plan::RemoveRule{rule});
        const auto snapshot = kernel.read({name, {}, 0, {}});
        for (const IpPrefix& address : snapshot->addresses.at(name))
            ops.push_back(plan::RemoveAddress{name, address});
        for (const auto& [table, state] : snapshot->tables)
            ops.push_back(plan::RemoveTable{table});
        ops.push_back(plan::SetMtu{name, 1300});
        ops.push_back(plan::SetLinkUp{name, false});
        return ops;
    }
};

// The order of routes and addresses is not what is compared.
std::vector<std::string> lines(const std::string& dump) {
    std::vector<std::string> sorted;
    std::istringstream in(dump);
    for (std::string line; std::getline(in, line);)
        sorted.push_back(line);
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

} // namespace

TEST_CASE("who asks for something while a repair is made gets it when the repair is done") {
    World world;
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    world.turns.set_deferred(true);
    for (const plan::Op& op : world.sabotage("full"))
        if (std::holds_alternative<plan::RemoveRule>(op)) world.somebody_does(op);
    world.time.advance(1s);
    for (int i = 0; i < 100 && daemon.state("full") != TunnelState::kReapplying; ++i)
        world.turns.run_one();
    REQUIRE(daemon.state("full") == TunnelState::kReapplying);
    const auto reload = daemon.begin_reload("full");
    const auto down = daemon.begin_down("full");
    const auto again = daemon.begin_down("full");
    CHECK_FALSE(*down);
    world.turns.run();
    REQUIRE(*reload);
    CHECK((*reload)->has_value());
    REQUIRE(*down);
    CHECK((*down)->has_value());
    REQUIRE(*again); // the first one was at it, or done
    CHECK_FALSE((*again)->has_value());
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("whatever somebody takes away from a tunnel is put back") {
    for (const char* name : {"split", "full", "full4", "full6", "tablenum", "server"}) {
        World model;
        Daemon model_daemon(model);
        REQUIRE(model_daemon.up(name)->has_value());
        const auto count = model.sabotage(name).size();
        for (std::size_t i = 0; i < count; ++i) {
            World world;
            world.turns.set_deferred(i % 2 == 0);
            const std::string empty = world.kernel.dump();
            Daemon daemon(world);
            REQUIRE(daemon.up(name)->has_value());
            world.wait();
            const auto before = lines(world.kernel.dump());
            const plan::Op act = world.sabotage(name).at(i);
            INFO(name << ": " << plan::describe(act));
            world.somebody_does(act);
            REQUIRE(lines(world.kernel.dump()) != before);
            world.wait();
            CHECK(lines(world.kernel.dump()) == before);
            const auto view = daemon.manager().tunnel(named(name));
            CHECK(view->state == TunnelState::kUp);
            CHECK(view->drift_count > 0);
            CHECK(view->drift_last.find("by somebody") != std::string::npos);
            REQUIRE(daemon.down(name)->has_value());
            CHECK(world.kernel.dump() == empty);
            CHECK(world.time.armed() == 0);
        }
    }
}

TEST_CASE("what somebody adds is left alone") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("split")->has_value());
    world.wait();
    world.kernel.add_address("split", "10.77.0.1/24");
    WgDevice& device = *world.kernel.device("split");
    device.peers.emplace_back().public_key = *PublicKey::from_base64(fakes::kPeerC);
    const std::string before = world.kernel.dump();
    const int effects = world.faults.count();
    world.kernel.announce_change();
    world.wait();
    CHECK(world.kernel.dump() == before);
    CHECK(world.faults.count() == effects);
    CHECK(daemon.manager().tunnel(named("split"))->drift_count == 0);

    SECTION("also while something else is put back") {
        world.somebody_does(plan::SetLinkUp{"split", false});
        world.wait();
        CHECK(world.kernel.device("split")->peers.size() == 2);
        CHECK(world.kernel.dump().find("10.77.0.1/24") != std::string::npos);
        CHECK(daemon.manager().tunnel(named("split"))->drift_count > 0);
    }
    SECTION("until a reload") {
        REQUIRE(daemon.reload("split")->has_value());
        CHECK(world.kernel.device("split")->peers.size() == 1);
        CHECK(world.kernel.dump().find("10.77.0.1/24") == std::string::npos);
    }
}

TEST_CASE("a fight over one object has pauses, and the others do not wait for them") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("full4")->has_value());
    world.wait();
    const auto routes = world.sabotage("full4");
    const plan::Op route = routes.at(0); // the default route in the tunnel's table
    const auto rule = std::find_if(routes.begin(), routes.end(), [](const plan::Op& op) {
        return std::holds_alternative<plan::RemoveRule>(op);
    });
    const auto before = lines(world.kernel.dump());
    int put_back = 0;
    for (int second = 0; second < 60; ++second) {
        if (lines(world.kernel.dump()) == before) {
            ++put_back;
            world.somebody_does(route);
        }
        world.wait();
    }
    CHECK(put_back >= 6);
    CHECK(put_back <= 9); // five at once, then after 10, 20, 40 seconds
    const std::string fought = world.kernel.dump();
    REQUIRE(lines(fought) != before);
    world.somebody_does(*rule);
    world.wait();
    CHECK(world.kernel.dump() == fought);
    CHECK(daemon.state("full4") == TunnelState::kUp);
    world.wait(10min);
    CHECK(lines(world.kernel.dump()) == before); // without another announcement
    REQUIRE(daemon.down("full4")->has_value());
}

TEST_CASE("what is put back survives a crash in the middle") {
    for (int n = 0;; ++n) {
        World world;
        std::vector<std::string> before;
        {
            Daemon daemon(world);
            REQUIRE(daemon.up("full")->has_value());
            world.wait();
            before = lines(world.kernel.dump());
            world.faults.clear();
            world.faults.crash_at(n, fakes::Faults::When::kAfter);
            world.somebody_does(plan::SetLinkUp{"full", false});
            world.wait();
            if (!world.faults.dead()) break;
        }
        world.bury_daemon();
        Daemon daemon(world);
        REQUIRE(daemon.recover()->has_value());
        world.kernel.announce_change();
        world.wait();
        INFO("effect " << n);
        CHECK(lines(world.kernel.dump()) == before);
        REQUIRE(daemon.down("full")->has_value());
        CHECK(world.disk.clean());
    }
}

TEST_CASE("news of nothing costs a look and no more") {
    World world;
    Daemon daemon(world);
    REQUIRE(daemon.up("full")->has_value());
    world.wait();
    const int effects = world.faults.count();
    for (int i = 0; i < 10; ++i) {
        world.kernel.announce_change();
        world.wait();
    }
    CHECK(world.faults.count() == effects);
    CHECK(world.time.armed() == 0);
}

// ---- the link itself

// A link that is made anew has another index; the kernel's choice of a port and the address fe80:: follow.
std::vector<std::string> renewed(const std::string& dump) {
    auto all = lines(std::regex_replace(dump, std::regex(" port [0-9]+"), ""));
    all.erase(std::remove_if(
                  all.begin(), all.end(),
                  [](const std::string& line) { return line.find("address fe80:") != std::string::npos; }),
              all.end());
    return all;
}

TEST_CASE("a link that is lost is made again where the settings say so") {
    World world;
    world.turns.set_deferred(GENERATE(false, true));
    world.probe.report.kernel = false;
    const std::string empty = world.kernel.dump();
    Settings settings;
    settings.defaults.on_link_lost = OnLinkLost::kRebuild;
    Daemon daemon(world, settings);
    REQUIRE(daemon.up("full")->has_value());
    world.wait();
    const auto before = renewed(world.kernel.dump());
    const bool datapath = GENERATE(false, true);
    const auto lose = [&] {
        if (datapath)
            world.kernel.kill_datapath("full", "killed by signal 9");
        else
            world.kernel.delete_link("full");
        world.turns.run();
    };
    lose();
    world.wait(10ms);
    CHECK(daemon.state("full") == TunnelState::kUp); // the first time at once
    CHECK(renewed(world.kernel.dump()) == before);
    CHECK(world.kernel.watched("full"));

    SECTION("again and again, after pauses that double") {
        for (const auto pause : {1s, 2s, 4s, 8s}) {
            lose();
            CHECK(daemon.state("full") == TunnelState::kFailed);
            world.wait(pause - 10ms);
            CHECK(daemon.state("full") == TunnelState::kFailed);
            world.wait(20ms);
            CHECK(daemon.state("full") == TunnelState::kUp);
        }
        world.wait(10min);
        lose();
        world.wait(10ms);
        CHECK(daemon.state("full") == TunnelState::kUp);
    }
    SECTION("but not when it was brought down meanwhile") {
        lose();
        REQUIRE(daemon.down("full")->has_value());
        CHECK(world.kernel.dump() == empty);
        world.wait(10min);
        CHECK(world.kernel.dump() == empty);
        CHECK_FALSE(daemon.state("full"));
    }
    SECTION("and an up does not wait for the pause") {
        lose();
        REQUIRE(daemon.up("full")->has_value());
        CHECK(daemon.state("full") == TunnelState::kUp);
        world.wait(10min);
        CHECK(renewed(world.kernel.dump()) == before);
    }
    SECTION("also when the next attempt fails") {
        lose();
        world.faults.fail_if([](const std::string& what) { return what.find("link") != std::string::npos; });
        world.wait(20s);
        CHECK(daemon.state("full") == TunnelState::kFailed);
        world.faults.fail_if(nullptr);
        world.wait(1min);
        CHECK(daemon.state("full") == TunnelState::kUp);
        CHECK(renewed(world.kernel.dump()) == before);
    }
    if (daemon.state("full")) REQUIRE(daemon.down("full")->has_value());
    CHECK(world.kernel.dump() == empty);
    CHECK(world.time.armed() == 0);
}
