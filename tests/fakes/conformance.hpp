// SPDX-License-Identifier: MIT
// The conformance script: operations and what must be seen after them. It runs against FakeKernel (unit test)
// and against the real adapters in a network namespace of their own (tests/netns), so that the fake cannot
// drift from the kernel. Knows no test framework: hands back the deviations as sentences.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/ports/ports.hpp"

namespace wgd::fakes {

struct Conformance {
    ports::SystemReader& reader;
    ports::Executor& executor;
    std::function<void()> turn; // lets time pass until a completion may have come; called repeatedly
    plan::Backend backend = plan::Backend::kKernel;
    std::string prefix = "wgdc"; // of the links' names; at most 13 characters
    int max_turns = 10'000;      // after which a completion is considered lost
};

// Needs: two free link names prefix + "a" and "b", no rules with priorities 20000-20999, tables 51900-51901
// empty, net/ipv4/conf/all/src_valid_mark there, IPv6 on. Leaves nothing behind when nothing deviates.
std::vector<std::string> conformance_deviations(const Conformance& run);

} // namespace wgd::fakes
