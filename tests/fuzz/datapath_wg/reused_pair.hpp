// SPDX-License-Identifier: MIT
// A pair made once for many inputs, since making one costs a hundred times what an input does.
#pragma once

#include <optional>

#include "tests/sim/fixtures.hpp"

namespace wgd::fuzz {

// The same pair for 64 inputs, then another. `prepare` brings a new one into the state wanted.
template <class Prepare>
sim::Pair& reused_pair(Prepare&& prepare) {
    static std::optional<sim::Pair> pair;
    static unsigned uses = 0;
    if (uses++ % 64 == 0) {
        pair.emplace();
        prepare(*pair);
    }
    return *pair;
}

} // namespace wgd::fuzz
