// SPDX-License-Identifier: MIT
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdio>

#include "tests/requirement/requirement.hpp"

int main(int argc, char** argv) {
    const std::string missing = wgd::test::missing_requirement();
    if (!missing.empty()) {
        std::fprintf(stderr, "skipped: this test needs %s\n", missing.c_str());
        return 77;
    }
    return Catch::Session().run(argc, argv);
}
