// SPDX-License-Identifier: MIT
// SecretText and SecretBytes: growing buffers that hold keys among other things (a profile's text, a UAPI
// exchange, a netlink message). Every block they let go of is zeroed first, also when they grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <sodium.h>
#include <string>
#include <vector>

namespace wgd {

template <class T>
struct ZeroingAllocator {
    using value_type = T;
    ZeroingAllocator() = default;
    template <class U>
    ZeroingAllocator(const ZeroingAllocator<U>&) noexcept {}
    [[nodiscard]] T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
    void deallocate(T* block, std::size_t n) noexcept {
        sodium_memzero(block, n * sizeof(T));
        std::allocator<T>{}.deallocate(block, n);
    }
    bool operator==(const ZeroingAllocator&) const = default;
};

// A string of at most 15 characters lives inside the object and is not zeroed: no key is that short.
using SecretText = std::basic_string<char, std::char_traits<char>, ZeroingAllocator<char>>;
using SecretBytes = std::vector<std::uint8_t, ZeroingAllocator<std::uint8_t>>;

} // namespace wgd
