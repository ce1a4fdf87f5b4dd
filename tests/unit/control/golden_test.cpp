// SPDX-License-Identifier: MIT
// The transaction, on the profiles people have (tests/golden/profiles): for every one and every effect,
// failing and dying before and after it.
#include <catch2/catch.hpp>

#include "tests/unit/control/golden_world.hpp"

using namespace wgd;
using namespace wgd::control;
using fakes::Faults;

TEST_CASE("golden profiles: all of it or nothing of it") {
    const auto profiles = golden_profiles();
    REQUIRE(profiles.size() >= 30);
    for (const auto& profile : profiles) {
        INFO(profile.name);
        GoldenWorld model(profile, plan::Backend::kUserspace);
        const std::string before = model.kernel.dump();
        Daemon model_daemon(model);
        const auto model_up = model_daemon.up("golden");
        REQUIRE(model_up);
        if (!model_up->has_value()) FAIL(model_up->error().message);
        const std::string after = model.kernel.dump();
        const int effects = model.faults.count();
        REQUIRE(model_daemon.down("golden")->has_value());
        CHECK(model.kernel.dump() == before);
        CHECK(model.disk.clean());

        for (const auto when : {Faults::When::kBefore, Faults::When::kAfter}) {
            for (int n = 0; n < effects; ++n) {
                INFO((when == Faults::When::kBefore ? "before" : "after")
                     << " effect " << n << " of " << effects);
                {
                    GoldenWorld world(profile, plan::Backend::kUserspace);
                    Daemon daemon(world);
                    world.faults.fail_at(n, when);
                    const auto up = daemon.up("golden");
                    REQUIRE(world.faults.triggered());
                    const bool only_the_log =
                        dispensable(world.faults.trace().at(static_cast<std::size_t>(n)));
                    CHECK(up->has_value() == only_the_log);
                    CHECK(world.kernel.dump() == (only_the_log ? after : before));
                    if (!only_the_log) CHECK(world.disk.clean());
                }
                {
                    GoldenWorld world(profile, plan::Backend::kUserspace);
                    {
                        Daemon daemon(world);
                        world.faults.crash_at(n, when);
                        (void)daemon.up("golden");
                        REQUIRE(world.faults.dead());
                    }
                    world.bury_daemon();
                    Daemon daemon(world);
                    REQUIRE(daemon.recover()->has_value());
                    CHECK(world.disk.undo().empty());
                    CHECK(world.kernel.dump() == (daemon.state("golden") ? after : before));
                }
            }
        }
    }
}
