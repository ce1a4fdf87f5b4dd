// SPDX-License-Identifier: MIT
// Byte spans and little helpers to read and write integers of a fixed byte order without aliasing tricks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace wgd {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

template <class Int>
[[nodiscard]] inline Int load_le(const std::uint8_t* from) {
    static_assert(std::is_unsigned_v<Int>);
    Int value{};
    std::memcpy(&value, from, sizeof value);
    if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        Int swapped{};
        for (std::size_t i = 0; i < sizeof value; ++i)
            swapped = static_cast<Int>((swapped << 8) | from[sizeof value - 1 - i]);
        value = swapped;
    }
    return value;
}

template <class Int>
inline void store_le(std::uint8_t* to, Int value) {
    static_assert(std::is_unsigned_v<Int>);
    if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        for (std::size_t i = 0; i < sizeof value; ++i)
            to[i] = static_cast<std::uint8_t>(value >> (8 * i));
    } else {
        std::memcpy(to, &value, sizeof value);
    }
}

template <class Int>
[[nodiscard]] inline Int load_be(const std::uint8_t* from) {
    static_assert(std::is_unsigned_v<Int>);
    Int value{};
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = static_cast<Int>((value << 8) | from[i]);
    return value;
}

template <class Int>
inline void store_be(std::uint8_t* to, Int value) {
    static_assert(std::is_unsigned_v<Int>);
    for (std::size_t i = 0; i < sizeof value; ++i)
        to[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof value - 1 - i)));
}

} // namespace wgd
