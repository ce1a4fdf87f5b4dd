// SPDX-License-Identifier: MIT
#include "datapath/wg/tai64n.hpp"

#include "common/base/bytes.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {
namespace {

// 2^62 is 1970 TAI; TAI was ten seconds ahead of UTC then. Leap seconds since do not matter: only order does.
constexpr std::uint64_t kTaiEpoch = (std::uint64_t{1} << 62) + 10;
constexpr std::uint32_t kNanosPerSecond = 1'000'000'000;

Tai64n encode(std::uint64_t seconds, std::uint32_t nanos) {
    Tai64n stamp;
    store_be<std::uint64_t>(stamp.data(), seconds);
    store_be<std::uint32_t>(stamp.data() + 8, nanos);
    return stamp;
}

} // namespace

Tai64n tai64n(WallTime time) {
    const auto since_epoch = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
    const auto nanos = static_cast<std::uint32_t>((since_epoch - seconds).count());
    return encode(kTaiEpoch + static_cast<std::uint64_t>(seconds.count()),
                  nanos & ~(kTimestampGranularity - 1));
}

Tai64n next_tai64n(WallTime time, const Tai64n& previous) {
    const Tai64n stamp = tai64n(time);
    if (stamp > previous) return stamp;
    std::uint64_t seconds = load_be<std::uint64_t>(previous.data());
    std::uint32_t nanos = load_be<std::uint32_t>(previous.data() + 8) + kTimestampGranularity;
    if (nanos >= kNanosPerSecond) {
        nanos = 0;
        ++seconds;
    }
    return encode(seconds, nanos);
}

} // namespace wgd::wg
