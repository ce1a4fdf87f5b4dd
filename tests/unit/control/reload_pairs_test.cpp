// SPDX-License-Identifier: MIT
// A reload from every shape of profile to every other: it arrives where it says, all of it or nothing of it,
// and a daemon that dies on the way finishes it at the next start.
#include <catch2/catch.hpp>

#include "tests/unit/control/golden_world.hpp"

using namespace wgd;
using namespace wgd::control;
using fakes::Faults;

namespace {

const std::string kName = "golden";

// A tunnel that is up with one text, and finds another on disk.
struct Pair {
    Pair(const std::string& from, const std::string& to)
        : world({kName, from}) {
        empty = world.kernel.dump();
        daemon.emplace(world);
        REQUIRE(daemon->up(kName)->has_value());
        before = world.kernel.dump();
        world.disk.put(kName, to);
        world.faults.clear();
    }
    void restart() {
        daemon.reset();
        world.bury_daemon();
        daemon.emplace(world);
        REQUIRE(daemon->recover()->has_value());
        world.turns.run();
    }
    GoldenWorld world;
    std::optional<Daemon> daemon;
    std::string empty, before;
};

// The world after the reload, and how many effects it had.
std::pair<std::string, int> check_reload(const std::string& from, const std::string& to) {
    Pair pair(from, to);
    const auto plan = pair.daemon->plan(kName, "reload");
    REQUIRE(plan);
    if (!*plan) FAIL(plan->error().message);
    CHECK(pair.world.faults.count() == 0); // looking is all a plan does
    const auto done = pair.daemon->reload(kName);
    REQUIRE(done);
    if (!*done) FAIL(done->error().message);
    CHECK((*done)->steps == (*plan)->steps);
    CHECK(pair.daemon->state(kName) == TunnelState::kUp);
    CHECK(pair.world.disk.undo().empty());
    const std::string after = pair.world.kernel.dump();
    const int effects = pair.world.faults.count();
    // There, and nothing more to do: not now, and not for the daemon that takes over.
    CHECK(pair.daemon->reload(kName)->value().steps.empty());
    pair.restart();
    CHECK(pair.daemon->plan(kName, "reload")->value().steps.empty());
    CHECK(pair.world.kernel.dump() == after);
    REQUIRE(pair.daemon->down(kName)->has_value());
    CHECK(pair.world.kernel.dump() == pair.empty);
    CHECK(pair.world.disk.clean());
    return {after, effects};
}

void check_failures(const std::string& from, const std::string& to, const std::string& after, int effects) {
    for (const auto when : {Faults::When::kBefore, Faults::When::kAfter}) {
        for (int n = 0; n < effects; ++n) {
            INFO((when == Faults::When::kBefore ? "before" : "after")
                 << " effect " << n << " of " << effects);
            {
                Pair pair(from, to);
                pair.world.faults.fail_at(n, when);
                const auto done = pair.daemon->reload(kName);
                REQUIRE(pair.world.faults.triggered());
                REQUIRE(done);
                if (dispensable(pair.world.faults.trace().at(static_cast<std::size_t>(n)))) {
                    CHECK(done->has_value());
                    REQUIRE(pair.daemon->down(kName)->has_value());
                    CHECK(pair.world.kernel.dump() == pair.empty);
                    continue;
                }
                CHECK_FALSE(done->has_value());
                CHECK(pair.world.kernel.dump() == pair.before);
                CHECK(pair.daemon->state(kName) == TunnelState::kUp);
                // It is still what it was, and the next attempt succeeds.
                pair.world.faults.clear();
                REQUIRE(pair.daemon->reload(kName)->has_value());
                REQUIRE(pair.daemon->down(kName)->has_value());
                CHECK(pair.world.kernel.dump() == pair.empty);
            }
            {
                Pair pair(from, to);
                pair.world.faults.crash_at(n, when);
                (void)pair.daemon->reload(kName);
                REQUIRE(pair.world.faults.dead());
                pair.restart();
                CHECK(pair.daemon->state(kName) == TunnelState::kUp);
                const std::string now = pair.world.kernel.dump();
                if (n == 0 && when == Faults::When::kBefore)
                    CHECK(now == pair.before); // nothing was written down yet
                else
                    CHECK(now == after);
                REQUIRE(pair.daemon->down(kName)->has_value());
                CHECK(pair.world.kernel.dump() == pair.empty);
                CHECK(pair.world.disk.clean());
            }
        }
    }
}

} // namespace

TEST_CASE("a reload gets from every shape of profile to every other, or nowhere") {
    const auto profiles = fakes::sample_profiles();
    for (const auto& from : profiles)
        for (const auto& to : profiles) {
            if (from.name == to.name || from.text.find("vpn.example.net") != std::string::npos) continue;
            INFO(from.name << " -> " << to.name);
            const auto [after, effects] = check_reload(from.text, to.text);
            check_failures(from.text, to.text, after, effects);
        }
}

TEST_CASE("golden profiles: a reload from each to some others") {
    const auto profiles = golden_profiles();
    const std::size_t count = profiles.size();
    // All pairs, with all steps of each, take minutes: of each profile a few, others for every one.
    for (std::size_t i = 0; i < count; ++i)
        for (const std::size_t far : {std::size_t{1}, i % 5 + 2, i % 7 + 7, i % 11 + 14}) {
            const auto& from = profiles[i];
            const auto& to = profiles[(i + far) % count];
            INFO(from.name << " -> " << to.name);
            const auto [after, effects] = check_reload(from.text, to.text);
            if (far == 1) check_failures(from.text, to.text, after, effects);
        }
}
