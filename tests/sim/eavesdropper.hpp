// SPDX-License-Identifier: MIT
// Eavesdropper: sees every datagram as it is sent and knows what must never be seen on a wire.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/ip.hpp"

namespace wgd::sim {

class Eavesdropper {
  public:
    // Bytes that exist in plaintext inside the tunnel; at least 16, so that chance does not find them.
    void forbid(Bytes plaintext) { forbidden_.push_back(std::move(plaintext)); }
    void see(const Endpoint& from, const Endpoint& to, ByteView datagram);

    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
    [[nodiscard]] unsigned count(unsigned type) const { return type < counts_.size() ? counts_[type] : 0; }
    [[nodiscard]] unsigned initiations() const { return count(1); }
    [[nodiscard]] unsigned responses() const { return count(2); }
    [[nodiscard]] unsigned cookie_replies() const { return count(3); }
    [[nodiscard]] unsigned transports() const { return count(4); }
    [[nodiscard]] unsigned keepalives() const { return keepalives_; }
    // Keys and counters seen so far: for tests that measure memory.
    void forget() {
        nonces_.clear();
        ephemerals_.clear();
    }
    void reset_counts() {
        counts_ = {};
        keepalives_ = 0;
    }

  private:
    void violation(std::string what) { violations_.push_back(std::move(what)); }

    std::vector<Bytes> forbidden_;
    std::set<std::tuple<Endpoint, std::uint32_t, std::uint64_t>> nonces_; // destination, its index, counter
    std::set<Bytes> ephemerals_;
    std::array<unsigned, 5> counts_{};
    unsigned keepalives_ = 0;
    std::vector<std::string> violations_;
};

} // namespace wgd::sim
