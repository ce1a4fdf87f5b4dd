// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "tests/fakes/conformance.hpp"
#include "tests/fakes/fake_world.hpp"

using namespace wgd;

TEST_CASE("the fake kernel keeps the kernel's rules") {
    const auto backend = GENERATE(plan::Backend::kKernel, plan::Backend::kUserspace);
    fakes::FakeWorld world;
    world.turns.set_deferred(GENERATE(false, true));
    world.kernel.add_link("lo", 65536);
    const std::string before = world.kernel.dump();
    const fakes::Conformance run{world.kernel, world.kernel, [&] { world.turns.run_one(); }, backend};
    for (const std::string& deviation : fakes::conformance_deviations(run))
        FAIL_CHECK(deviation);
    CHECK(world.kernel.dump() == before);
}
