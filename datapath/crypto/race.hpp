// SPDX-License-Identifier: MIT
// Which of several does the same work fastest, measured on a machine that others use too.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>

namespace wgd::crypto {

// Does the work once and says how long it took.
using TimedRun = std::function<std::chrono::nanoseconds()>;

// The index of the fastest of `runs` (not empty). They take turns and the best run of each counts: a pause
// (another process, a host that took the core away) then hits everyone or no one. Ends when one is clearly
// ahead, twice as fast as every other and not in the first round, which is cold; else after `rounds`, so
// that a few bad moments of the machine do not decide.
[[nodiscard]] std::size_t fastest_of(std::span<const TimedRun> runs, int rounds);

} // namespace wgd::crypto
