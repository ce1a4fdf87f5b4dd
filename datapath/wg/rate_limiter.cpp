// SPDX-License-Identifier: MIT
#include "datapath/wg/rate_limiter.hpp"

#include <algorithm>

#include "common/base/bytes.hpp"

namespace wgd::wg {
namespace {

constexpr Duration kCost = Duration(std::chrono::seconds(1)) / RateLimiter::kPerSecond;
constexpr Duration kFull = kCost * RateLimiter::kBurst;
constexpr Duration kSweepInterval = std::chrono::seconds(1);

} // namespace

std::size_t RateLimiter::Hasher::operator()(const Key& key) const {
    // Two rounds of a multiplicative mixer over the seed: unknown to whoever chooses addresses.
    std::uint64_t word = key.high ^ seed ^ (key.v6 ? 0x9e3779b97f4a7c15u : 0);
    for (int round = 0; round < 2; ++round) {
        word ^= word >> 32;
        word *= 0xd6e8feb86659fd93u;
        word += seed;
    }
    return static_cast<std::size_t>(word ^ (word >> 32));
}

bool RateLimiter::allow(const IpAddress& from, Instant now) {
    const ByteView bytes = from.bytes();
    const Key key{from.is_v6() ? load_be<std::uint64_t>(bytes.data()) : load_be<std::uint32_t>(bytes.data()),
                  from.is_v6()};
    if (now - last_sweep_ >= kSweepInterval) sweep(now);
    const auto found = sources_.find(key);
    if (found == sources_.end()) {
        if (sources_.size() >= kMaxSources) return false;
        sources_.emplace(key, Bucket{now, kFull - kCost});
        return true;
    }
    Bucket& bucket = found->second;
    bucket.credit = std::min(kFull, bucket.credit + (now - bucket.updated));
    bucket.updated = now;
    if (bucket.credit < kCost) return false;
    bucket.credit -= kCost;
    return true;
}

void RateLimiter::sweep(Instant now) {
    last_sweep_ = now;
    // A bucket that has had time to fill up says nothing any more.
    std::erase_if(sources_, [&](const auto& entry) { return now - entry.second.updated >= kFull; });
}

} // namespace wgd::wg
