// SPDX-License-Identifier: MIT
// Time and randomness as interfaces, so that everything that decides can be run under a virtual clock.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/bytes.hpp"

namespace wgd {

using Duration = std::chrono::nanoseconds;

// CLOCK_BOOTTIME: monotonic and counts suspend, so that sessions expire over a sleep as the protocol wants.
struct BootClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
    static time_point now(); // reads the system clock; only the outermost layers call it
};
using Instant = BootClock::time_point;

// CLOCK_REALTIME since the epoch; for TAI64N stamps and for "latest handshake" shown to people.
using WallTime = std::chrono::sys_time<Duration>;

class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual WallTime wall() const = 0;
};

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(ByteSpan out) = 0; // cryptographically strong in programs, seeded in tests
};

// The real ones (clock_gettime, libsodium's randombytes). Stateless; usable from any thread.
Clock& system_clock();
Random& system_random();

} // namespace wgd
