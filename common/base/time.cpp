// SPDX-License-Identifier: MIT
#include "common/base/time.hpp"

#include <ctime>
#include <sodium.h>

namespace wgd {
namespace {

Duration read_clock(clockid_t id) {
    timespec now{};
    clock_gettime(id, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

class SystemClock final : public Clock {
  public:
    Instant now() const override { return BootClock::now(); }
    WallTime wall() const override { return WallTime(read_clock(CLOCK_REALTIME)); }
};

class SystemRandom final : public Random {
  public:
    void fill(ByteSpan out) override { randombytes_buf(out.data(), out.size()); }
};

} // namespace

BootClock::time_point BootClock::now() {
    return time_point(read_clock(CLOCK_BOOTTIME));
}

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

Random& system_random() {
    static SystemRandom random;
    return random;
}

} // namespace wgd
