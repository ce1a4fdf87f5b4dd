// SPDX-License-Identifier: MIT
// Token bucket per source of handshakes under load: 20 a second, 5 at once, per IPv4 address and per IPv6 /64
// (WG 5.3). The table is bounded: with it full, unknown sources are refused.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/base/ip.hpp"
#include "common/base/time.hpp"

namespace wgd::wg {

class RateLimiter {
  public:
    static constexpr unsigned kPerSecond = 20;
    static constexpr unsigned kBurst = 5;
    static constexpr std::size_t kMaxSources = 65536;

    // `seed` keys the table, so that nobody can aim at one bucket of it.
    explicit RateLimiter(std::uint64_t seed)
        : sources_(16, Hasher{seed}) {}

    // Whether one more from this address is within its allowance; takes the token if so.
    [[nodiscard]] bool allow(const IpAddress& from, Instant now);
    [[nodiscard]] std::size_t sources() const { return sources_.size(); }

  private:
    struct Key {
        std::uint64_t high;
        bool v6;
        bool operator==(const Key&) const = default;
    };
    struct Hasher {
        std::uint64_t seed;
        std::size_t operator()(const Key& key) const;
    };
    struct Bucket {
        Instant updated;
        Duration credit; // up to kBurst packets' worth of time
    };
    void sweep(Instant now);

    std::unordered_map<Key, Bucket, Hasher> sources_;
    Instant last_sweep_{};
};

} // namespace wgd::wg
