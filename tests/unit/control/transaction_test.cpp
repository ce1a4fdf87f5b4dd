// SPDX-License-Identifier: MIT
// All or nothing: for every profile, every effect that `up` and `down` have on the system, failing or killing
// the daemon right before or right after it. (tests/unit/control/golden_test does the same for
// tests/golden/profiles.)
#include <catch2/catch.hpp>

#include "tests/unit/control/daemon_fixture.hpp"

using namespace wgd;
using namespace wgd::control;
using fakes::Faults;

namespace {

enum class Mode { kAtOnce, kLater };

void arrange(FakeWorld& world, Mode mode, plan::Backend backend) {
    furnish(world);
    world.turns.set_deferred(mode == Mode::kLater);
    world.probe.report.kernel = backend == plan::Backend::kKernel;
}

// What a daemon that is up must be able to say of itself.
void require_up(FakeWorld& world, Daemon& daemon, const std::string& name) {
    CHECK(daemon.state(name) == TunnelState::kUp);
    CHECK(world.disk.undo().empty());
    CHECK(world.disk.records().count(name) == 1);
}

} // namespace

TEST_CASE("up and down leave the system as it was") {
    const auto mode = GENERATE(Mode::kAtOnce, Mode::kLater);
    const auto backend = GENERATE(plan::Backend::kKernel, plan::Backend::kUserspace);
    for (const auto& profile : fakes::sample_profiles()) {
        INFO(profile.name);
        FakeWorld world;
        arrange(world, mode, backend);
        const std::string before = world.kernel.dump();
        Daemon daemon(world);
        const auto up = daemon.up(profile.name);
        REQUIRE(up);
        if (!*up) FAIL(up->error().message);
        CHECK((*up)->state == TunnelState::kUp);
        CHECK((*up)->backend == backend);
        CHECK(world.kernel.dump() != before);
        require_up(world, daemon, profile.name);
        CHECK(world.kernel.watched(profile.name) == (backend == plan::Backend::kUserspace));

        const int effects = world.faults.count();
        const auto again = daemon.up(profile.name);
        REQUIRE((again && again->has_value()));
        CHECK(world.faults.count() == effects); // nothing to do

        const auto down = daemon.down(profile.name);
        REQUIRE(down);
        if (!*down) FAIL(down->error().message);
        CHECK(world.kernel.dump() == before);
        CHECK(world.disk.clean());
        CHECK_FALSE(daemon.state(profile.name));
        CHECK_FALSE(world.kernel.watched(profile.name));
    }
}

TEST_CASE("up failing at any effect leaves the system as it was") {
    const auto mode = GENERATE(Mode::kAtOnce, Mode::kLater);
    const auto when = GENERATE(Faults::When::kBefore, Faults::When::kAfter);
    const auto backend = GENERATE(plan::Backend::kKernel, plan::Backend::kUserspace);
    for (const auto& profile : fakes::sample_profiles()) {
        int n = 0;
        for (bool reached = true; reached; ++n) {
            INFO(profile.name << ", effect " << n);
            FakeWorld world;
            arrange(world, mode, backend);
            const std::string before = world.kernel.dump();
            Daemon daemon(world);
            world.faults.fail_at(n, when);
            const auto up = daemon.up(profile.name);
            REQUIRE(up);
            reached = world.faults.triggered();
            if (up->has_value()) {
                // Either nothing failed, or it was the clearing of the log after all was done, or the
                // tunnel's DNS, which it does not depend on.
                if (reached) CHECK(dispensable(world.faults.trace().at(static_cast<std::size_t>(n))));
                CHECK(daemon.state(profile.name) == TunnelState::kUp);
                continue;
            }
            CHECK(up->error().code == ErrorCode::kKernel);
            CHECK(up->error().message.find("injected") != std::string::npos);
            CHECK(world.kernel.dump() == before);
            CHECK(world.disk.clean());
            CHECK_FALSE(daemon.state(profile.name));
            // And it works the next time.
            world.faults.clear();
            const auto retry = daemon.up(profile.name);
            REQUIRE((retry && retry->has_value()));
        }
        CHECK(n > 4); // the loop did fail something
    }
}

TEST_CASE("a crash at any effect of up is undone or finished at the next start") {
    const auto mode = GENERATE(Mode::kAtOnce, Mode::kLater);
    const auto when = GENERATE(Faults::When::kBefore, Faults::When::kAfter);
    for (const auto& profile : fakes::sample_profiles()) {
        FakeWorld model;
        arrange(model, mode, plan::Backend::kUserspace);
        const std::string before = model.kernel.dump();
        Daemon model_daemon(model);
        REQUIRE(model_daemon.up(profile.name)->has_value());
        const std::string after = model.kernel.dump();

        int undone = 0, finished = 0, n = 0;
        for (bool reached = true; reached; ++n) {
            INFO(profile.name << ", effect " << n);
            FakeWorld world;
            arrange(world, mode, plan::Backend::kUserspace);
            {
                Daemon daemon(world);
                world.faults.crash_at(n, when);
                const auto up = daemon.up(profile.name);
                reached = world.faults.dead();
                if (!reached) break;
            }
            world.bury_daemon();
            Daemon daemon(world);
            const auto recovered = daemon.recover();
            REQUIRE(recovered);
            REQUIRE(recovered->has_value());
            CHECK(world.disk.undo().empty());
            if (daemon.state(profile.name)) {
                ++finished;
                CHECK(world.kernel.dump() == after);
                require_up(world, daemon, profile.name);
                CHECK(world.kernel.watched(profile.name));
                REQUIRE(daemon.down(profile.name)->has_value());
            } else {
                ++undone;
            }
            CHECK(world.kernel.dump() == before);
            CHECK(world.disk.clean());
        }
        CHECK(undone > 0);
        CHECK(finished > 0);
    }
}

TEST_CASE("a crash while the undo of a crash runs is undone by the next") {
    FakeWorld world;
    arrange(world, Mode::kAtOnce, plan::Backend::kKernel);
    const std::string before = world.kernel.dump();
    for (int first = 4; first < 16; ++first) {
        for (int second = 0; second < 8; ++second) {
            INFO("crash at " << first << ", again at " << second);
            {
                Daemon daemon(world);
                world.faults.crash_at(first, Faults::When::kAfter);
                (void)daemon.up("full");
            }
            world.bury_daemon();
            {
                Daemon daemon(world);
                world.faults.crash_at(second, Faults::When::kAfter);
                (void)daemon.recover();
            }
            world.bury_daemon();
            Daemon daemon(world);
            REQUIRE(daemon.recover()->has_value());
            CHECK(world.kernel.dump() == before);
            CHECK(world.disk.clean());
        }
    }
}

TEST_CASE("down failing at any effect leaves the tunnel up, or gone") {
    const auto mode = GENERATE(Mode::kAtOnce, Mode::kLater);
    const auto when = GENERATE(Faults::When::kBefore, Faults::When::kAfter);
    const auto backend = GENERATE(plan::Backend::kKernel, plan::Backend::kUserspace);
    for (const auto& profile : fakes::sample_profiles()) {
        int n = 0;
        for (bool reached = true; reached; ++n) {
            INFO(profile.name << ", effect " << n);
            FakeWorld world;
            arrange(world, mode, backend);
            const std::string before = world.kernel.dump();
            Daemon daemon(world);
            REQUIRE(daemon.up(profile.name)->has_value());
            const std::string up = world.kernel.dump();
            world.faults.clear();
            world.faults.fail_at(n, when);
            const auto down = daemon.down(profile.name);
            REQUIRE(down);
            reached = world.faults.triggered();
            if (down->has_value()) {
                CHECK(world.kernel.dump() == before);
            } else {
                CHECK(world.kernel.dump() == up);
                CHECK(daemon.state(profile.name) == TunnelState::kUp);
                world.faults.clear();
                REQUIRE(daemon.down(profile.name)->has_value());
                CHECK(world.kernel.dump() == before);
            }
            if (!reached) CHECK(world.disk.clean());
        }
    }
}

TEST_CASE("a crash at any effect of down is finished at the next start") {
    const auto when = GENERATE(Faults::When::kBefore, Faults::When::kAfter);
    for (const auto& profile : fakes::sample_profiles()) {
        for (int n = 0;; ++n) {
            INFO(profile.name << ", effect " << n);
            FakeWorld world;
            arrange(world, Mode::kAtOnce, plan::Backend::kKernel);
            const std::string before = world.kernel.dump();
            std::string up;
            {
                Daemon daemon(world);
                REQUIRE(daemon.up(profile.name)->has_value());
                up = world.kernel.dump();
                world.faults.clear();
                world.faults.crash_at(n, when);
                (void)daemon.down(profile.name);
                if (!world.faults.dead()) break;
            }
            world.bury_daemon();
            Daemon daemon(world);
            REQUIRE(daemon.recover()->has_value());
            if (daemon.state(profile.name)) {
                CHECK(n == 0); // before the intention was written down
                CHECK(world.kernel.dump() == up);
            } else {
                CHECK(world.kernel.dump() == before);
                CHECK(world.disk.clean());
            }
        }
    }
}

TEST_CASE("an undo that fails is a residue, kept on disk, and worked off by down or by the next start") {
    FakeWorld world;
    arrange(world, Mode::kAtOnce, plan::Backend::kKernel);
    const std::string before = world.kernel.dump();
    Daemon daemon(world);
    int additions = 0;
    world.faults.fail_if([&](const std::string& what) {
        if (what.find("rule add") != std::string::npos) return ++additions == 3;
        return what.find("rule delete") != std::string::npos;
    });
    const auto up = daemon.up("full");
    REQUIRE(up);
    REQUIRE_FALSE(up->has_value());
    CHECK(up->error().code == ErrorCode::kRollback);
    CHECK(up->error().message.find("rule add") != std::string::npos);    // what went wrong first
    CHECK(up->error().message.find("rule delete") != std::string::npos); // and what is left
    const auto view = daemon.manager().tunnel(named("full"));
    REQUIRE(view);
    CHECK(view->state == TunnelState::kFailed);
    CHECK(view->residue.size() == 3); // two rules made, the third perhaps half
    CHECK_FALSE(world.disk.undo().empty());
    CHECK_FALSE(world.kernel.has_link("full")); // the rest was undone

    SECTION("by down") {
        world.faults.fail_if(nullptr);
        REQUIRE(daemon.down("full")->has_value());
        CHECK_FALSE(daemon.state("full"));
    }
    SECTION("by up") {
        world.faults.fail_if(nullptr);
        REQUIRE(daemon.up("full")->has_value());
        REQUIRE(daemon.down("full")->has_value());
    }
    SECTION("by the next start") {
        world.bury_daemon();
        Daemon next(world);
        REQUIRE(next.recover()->has_value());
        CHECK_FALSE(next.state("full"));
    }
    SECTION("not while it still fails") {
        CHECK_FALSE(daemon.down("full")->has_value());
        CHECK(daemon.state("full") == TunnelState::kFailed);
        world.faults.fail_if(nullptr);
        REQUIRE(daemon.down("full")->has_value());
    }
    CHECK(world.kernel.dump() == before);
    CHECK(world.disk.clean());
}

TEST_CASE("no key reaches the disk") {
    FakeWorld world;
    arrange(world, Mode::kAtOnce, plan::Backend::kKernel);
    Daemon daemon(world);
    std::string written;
    for (const auto& profile : fakes::sample_profiles()) {
        world.faults.fail_if([&](const std::string& what) {
            if (what == "clear undo" || what == "remove record")
                for (const auto& [name, log] : world.disk.undo())
                    for (const std::string& line : log)
                        written += line;
            return false;
        });
        REQUIRE(daemon.up(profile.name)->has_value());
        for (const auto& [name, record] : world.disk.records())
            written += record;
        REQUIRE(daemon.down(profile.name)->has_value());
    }
    CHECK(written.find("delete_link") != std::string::npos); // it did look at the logs
    CHECK(written.find(fakes::kPrivateKey) == std::string::npos);
    CHECK(written.find(fakes::kPresharedKey) == std::string::npos);
}
