// SPDX-License-Identifier: MIT
// The Internet checksum (RFC 1071), alone and together with a copy. Sums are 64-bit accumulators of the data
// as the machine's own 32-bit words, so they can be added to each other as long as each part begins at an
// even offset; fold() gives the 16 bits to be stored with memcpy, in any byte order. Pure; AVX2 where the CPU
// has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/base/bytes.hpp"

namespace wgd::io {

// Adds `size` bytes to `sum`. An odd last byte counts as if a zero followed.
[[nodiscard]] std::uint64_t checksum_add(const std::uint8_t* data, std::size_t size, std::uint64_t sum);
// The same, and copies them to `to`, in one pass.
[[nodiscard]] std::uint64_t checksum_copy(std::uint8_t* to, const std::uint8_t* from, std::size_t size,
                                          std::uint64_t sum);

// The same for a header whose size is known when compiling: a few additions in place, without a loop.
template <std::size_t kSize>
[[nodiscard]] inline std::uint64_t checksum_add_header(const std::uint8_t* data, std::uint64_t sum) {
    static_assert(kSize % 4 == 0 && kSize <= 64);
    for (std::size_t at = 0; at < kSize; at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, data + at, sizeof word);
        sum += word;
    }
    return sum;
}

// One's-complement sum of 16 bits, not complemented.
[[nodiscard]] inline std::uint16_t checksum_fold(std::uint64_t sum) {
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>((sum >> 16) + (sum & 0xffff));
}

// A number as it would stand in a header, for pseudo headers.
[[nodiscard]] inline std::uint64_t checksum_word(std::uint16_t host_value) {
    std::uint8_t bytes[2];
    store_be(bytes, host_value);
    std::uint16_t raw = 0;
    std::memcpy(&raw, bytes, sizeof raw);
    return raw;
}

inline void checksum_store(std::uint8_t* field, std::uint16_t raw) {
    std::memcpy(field, &raw, sizeof raw);
}

} // namespace wgd::io
