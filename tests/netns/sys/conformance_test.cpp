// SPDX-License-Identifier: MIT
// The script that keeps the fake world honest, on the real one.
#include <catch2/catch.hpp>

#include "tests/fakes/conformance.hpp"
#include "tests/netns/sys/machine.hpp"

using namespace wgd;

TEST_CASE("the real adapters do what the conformance script says") {
    const std::string program = GENERATE(from_range(test::datapath_programs()));
    INFO(program);
    test::Machine machine(program);
    fakes::Conformance script{machine.reader, machine.executor,
                              [&] { machine.runner.turn_for(std::chrono::milliseconds(10)); }};
    script.backend = plan::Backend::kUserspace;
    CHECK(fakes::conformance_deviations(script) == std::vector<std::string>{});
}
