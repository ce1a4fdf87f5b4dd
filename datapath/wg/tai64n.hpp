// SPDX-License-Identifier: MIT
// TAI64N stamps (cr.yp.to/libtai/tai64.html): 8 bytes of seconds, 4 of nanoseconds, big-endian, so that
// comparing bytes compares times. An initiation carries one, and a responder takes only ever greater ones
// (WG 5.1).
#pragma once

#include <array>
#include <cstdint>

#include "common/base/time.hpp"

namespace wgd::wg {

using Tai64n = std::array<std::uint8_t, 12>;

// Whitened: nanoseconds rounded down to kTimestampGranularity.
[[nodiscard]] Tai64n tai64n(WallTime time);

// The stamp for the next initiation to a peer that was last sent `previous`: of `time`, or, should the wall
// clock have been set back since, the smallest step after `previous`, so that the peer still listens.
[[nodiscard]] Tai64n next_tai64n(WallTime time, const Tai64n& previous);

} // namespace wgd::wg
