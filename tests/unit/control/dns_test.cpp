// SPDX-License-Identifier: MIT
// Name resolution over a tunnel's life: set, kept, told again, taken back, shown.
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using plan::DnsBackend;

namespace {

// "full" of the sample profiles: DNS = 10.5.0.1, corp.lan. A second one beside it.
void put_second(FakeWorld& world) {
    world.disk.put("second", "[Interface]\nPrivateKey = " + fakes::kPrivateKey +
                                 "\nAddress = 10.99.0.2/32\nDNS = 10.99.0.1\n");
}

bool names(const FakeWorld& world, const std::string& server) {
    return world.kernel.dns.resolv_conf.find("\nnameserver " + server + "\n") != std::string::npos;
}

void run_resolved(FakeWorld& world) {
    world.kernel.dns.facts.resolved_running = true;
    world.kernel.dns.resolv_conf = "nameserver 127.0.0.53\n";
}

TunnelView view_of(Daemon& daemon, const std::string& name) {
    auto view = daemon.manager().tunnel(named(name));
    REQUIRE(view);
    return std::move(*view);
}

bool warns(const TunnelView& view, const std::string& of) {
    for (const std::string& warning : view.warnings)
        if (warning.find(of) != std::string::npos) return true;
    return false;
}

} // namespace

TEST_CASE("a tunnel tells who was told of its DNS, and why") {
    FakeWorld world;
    furnish(world);
    Daemon daemon(world);
    const auto up = daemon.up("full");
    REQUIRE((up && *up));
    CHECK((*up)->dns_backend == "file");
    CHECK((*up)->dns_reason == "nobody else keeps /etc/resolv.conf");
    CHECK_FALSE(warns(**up, "DNS"));
    const auto none = daemon.up("split");
    REQUIRE((none && *none));
    CHECK((*none)->dns_backend.empty());
    CHECK((*none)->dns_reason.empty());
}

TEST_CASE("two tunnels' DNS, in either order of down") {
    const bool first_goes_first = GENERATE(true, false);
    FakeWorld world;
    furnish(world);
    put_second(world);
    const std::string before = world.kernel.dns.resolv_conf;
    Daemon daemon(world);
    REQUIRE(*daemon.up("full"));
    CHECK(names(world, "10.5.0.1"));
    REQUIRE(*daemon.up("second"));
    CHECK(names(world, "10.99.0.1"));
    CHECK_FALSE(names(world, "10.5.0.1")); // the newer one has all look-ups
    REQUIRE(*daemon.down(first_goes_first ? "full" : "second"));
    CHECK(names(world, first_goes_first ? "10.99.0.1" : "10.5.0.1"));
    REQUIRE(*daemon.down(first_goes_first ? "second" : "full"));
    CHECK(world.kernel.dns.resolv_conf == before);
}

TEST_CASE("a file that somebody overwrites is written again, and theirs comes back") {
    FakeWorld world;
    furnish(world);
    put_second(world);
    Daemon daemon(world);
    REQUIRE(*daemon.up("full"));
    REQUIRE(*daemon.up("second"));
    world.kernel.dns.overwrite("nameserver 192.0.2.99\n");
    world.kernel.announce_dns_change();
    world.turns.run();
    CHECK(names(world, "10.99.0.1"));
    CHECK(daemon.state("full") == TunnelState::kUp);
    const int effects = world.faults.count();
    world.kernel.announce_dns_change(); // news of what wgd itself did
    world.turns.run();
    CHECK(world.faults.count() == effects);
    REQUIRE(*daemon.down("second"));
    REQUIRE(*daemon.down("full"));
    CHECK(world.kernel.dns.resolv_conf == "nameserver 192.0.2.99\n");
}

TEST_CASE("a resolver that was restarted is told again") {
    FakeWorld world;
    furnish(world);
    run_resolved(world);
    Daemon daemon(world);
    REQUIRE(*daemon.up("full"));
    CHECK(view_of(daemon, "full").dns_backend == "resolved");
    world.kernel.dns.restart();
    REQUIRE_FALSE(world.kernel.dns.told("full", DnsBackend::kResolved));
    world.kernel.announce_dns_change();
    world.turns.run();
    CHECK(world.kernel.dns.told("full", DnsBackend::kResolved));
    REQUIRE(*daemon.down("full"));
    CHECK_FALSE(world.kernel.dns.told("full", DnsBackend::kResolved));
}

TEST_CASE("after a suspend all is looked at again, though nobody has said anything") {
    FakeWorld world;
    furnish(world);
    Daemon daemon(world);
    SECTION("the file") {
        REQUIRE(*daemon.up("full"));
        world.kernel.dns.overwrite("nameserver 192.0.2.99\n");
        daemon.manager().time_passed("resume");
        world.turns.run();
        CHECK(names(world, "10.5.0.1"));
    }
    SECTION("a resolver") {
        run_resolved(world);
        REQUIRE(*daemon.up("full"));
        world.kernel.dns.restart();
        daemon.manager().time_passed("resume");
        world.turns.run();
        CHECK(world.kernel.dns.told("full", DnsBackend::kResolved));
    }
    REQUIRE(*daemon.down("full"));
}

TEST_CASE("news that comes while a tunnel is busy is not lost") {
    FakeWorld world;
    furnish(world);
    world.turns.set_deferred(true);
    Daemon daemon(world);
    const auto up = daemon.begin_up("full");
    while (world.kernel.dns.resolv_conf.find("10.5.0.1") == std::string::npos)
        REQUIRE(world.turns.run_one());
    world.kernel.dns.overwrite("nameserver 192.0.2.99\n");
    world.kernel.announce_dns_change();
    world.turns.run();
    REQUIRE((*up && **up));
    CHECK(names(world, "10.5.0.1"));
}

TEST_CASE("DNS that cannot be set is a warning, and is tried again when something changes") {
    FakeWorld world;
    furnish(world);
    world.kernel.dns.refuses = "no such thing";
    Daemon daemon(world);
    const auto up = daemon.up("full");
    REQUIRE((up && *up));
    CHECK((*up)->state == TunnelState::kUp);
    CHECK(warns(**up, "DNS is not set: no such thing"));
    CHECK((*up)->dns_backend.empty());
    world.kernel.dns.refuses.clear();
    world.kernel.dns.overwrite("nameserver 192.0.2.99\n");
    world.kernel.announce_dns_change();
    world.turns.run();
    const TunnelView view = view_of(daemon, "full");
    CHECK(view.dns_backend == "file");
    CHECK_FALSE(warns(view, "DNS is not set"));
}

TEST_CASE("DNS that is required fails the up, and nothing is left") {
    FakeWorld world;
    furnish(world);
    const std::string before = world.kernel.dump();
    world.kernel.dns.refuses = "no such thing";
    Settings settings;
    settings.defaults.dns.required = true;
    Daemon daemon(world, settings);
    const auto up = daemon.up("full");
    REQUIRE(up);
    REQUIRE_FALSE(*up);
    CHECK(up->error().message.find("no such thing") != std::string::npos);
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

TEST_CASE("a new daemon tells a resolver again, and finds the file as it was") {
    const bool resolved = GENERATE(true, false);
    FakeWorld world;
    furnish(world);
    if (resolved) run_resolved(world);
    const std::string before = world.kernel.dump();
    {
        Daemon daemon(world);
        REQUIRE(*daemon.up("full"));
    }
    world.bury_daemon();
    if (resolved) world.kernel.dns.restart(); // as far as a new daemon knows
    Daemon daemon(world);
    REQUIRE(*daemon.recover());
    world.turns.run();
    CHECK(view_of(daemon, "full").dns_backend == (resolved ? "resolved" : "file"));
    if (resolved) CHECK(world.kernel.dns.told("full", DnsBackend::kResolved));
    if (!resolved) CHECK(names(world, "10.5.0.1"));
    REQUIRE(*daemon.down("full"));
    CHECK(world.kernel.dump() == before);
}

TEST_CASE("the owner of resolv.conf changes under a tunnel") {
    FakeWorld world;
    furnish(world);
    Daemon daemon(world);
    REQUIRE(*daemon.up("full"));
    world.kernel.dns.facts.resolved_running = true;
    world.kernel.dns.overwrite("nameserver 127.0.0.53\n");
    world.kernel.announce_dns_change();
    world.turns.run();
    CHECK(view_of(daemon, "full").dns_backend == "resolved");
    CHECK(world.kernel.dns.told("full", DnsBackend::kResolved));
    CHECK(world.kernel.dns.resolv_conf == "nameserver 127.0.0.53\n");
}
