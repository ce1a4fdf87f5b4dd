// SPDX-License-Identifier: MIT
// Secret<N>: N bytes that are never copied by accident, never printed, compared in constant time, and zeroed
// when they go (libsodium's sodium_memzero, which the compiler may not drop).
#pragma once

#include <array>
#include <cstdint>
#include <sodium.h>
#include <span>

#include "common/base/bytes.hpp"

namespace wgd {

template <std::size_t N>
class Secret {
  public:
    static constexpr std::size_t kSize = N;

    Secret() = default; // all zero
    explicit Secret(std::span<const std::uint8_t, N> from) { std::memcpy(bytes_.data(), from.data(), N); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    Secret(Secret&& other) noexcept
        : bytes_(other.bytes_) {
        other.wipe();
    }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            other.wipe();
        }
        return *this;
    }
    ~Secret() { wipe(); }

    // A second owner of the same bytes; spelled out so that it can be found by reading.
    [[nodiscard]] Secret clone() const { return Secret(expose()); }
    // The bytes themselves, for the cryptographic call or the wire that needs them.
    [[nodiscard]] std::span<const std::uint8_t, N> expose() const { return bytes_; }
    [[nodiscard]] std::span<std::uint8_t, N> expose_mut() { return bytes_; }

    [[nodiscard]] bool is_zero() const { return sodium_is_zero(bytes_.data(), N) == 1; } // constant time
    [[nodiscard]] bool operator==(const Secret& other) const {                           // constant time
        return sodium_memcmp(bytes_.data(), other.bytes_.data(), N) == 0;
    }
    void wipe() { sodium_memzero(bytes_.data(), N); }

  private:
    std::array<std::uint8_t, N> bytes_{};
};

} // namespace wgd
