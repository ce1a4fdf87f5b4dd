// SPDX-License-Identifier: MIT
// What a test program needs of the machine it runs on. A program that needs something says so here, and gets
// a main that asks first: where it is missing, the program prints what, and exits with 77 (ctest: skipped).
#pragma once

#include <string>

namespace wgd::test {

// Each such program defines it (cmake: wgd_test(... REQUIREMENT)). Empty, or what is missing. Called once,
// before any test and any thread: the place to enter namespaces, too.
std::string missing_requirement();

} // namespace wgd::test
