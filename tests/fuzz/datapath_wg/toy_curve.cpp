// SPDX-License-Identifier: MIT
// Stands in for Curve25519 in a fuzz target: the linker takes these two instead of libsodium's. A handshake
// is a dozen multiplications on the curve, each as dear as a hundred datagrams, and what the fuzzer looks for
// is in the code around them. Here the group is that of the integers modulo 2^61 - 1, in the first eight
// bytes of a key; both sides agree, another key gives another secret, and elements that say nothing are
// refused. The curve itself is held against published vectors by the unit tests.
#include <cstdint>
#include <cstring>

#include "common/base/bytes.hpp"

namespace {

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

std::uint64_t multiply(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(Wide{a} * b % kPrime);
}

std::uint64_t power(std::uint64_t base, const unsigned char* scalar) {
    std::uint64_t exponent = 0; // a clamped scalar of zeros has one bit, at its other end
    for (int word = 0; word < 4; ++word)
        exponent ^= wgd::load_le<std::uint64_t>(scalar + 8 * word);
    exponent %= kPrime - 1;
    std::uint64_t result = 1;
    for (; exponent != 0; exponent >>= 1, base = multiply(base, base))
        if ((exponent & 1) != 0) result = multiply(result, base);
    return result;
}

void write(unsigned char* out, std::uint64_t element) {
    std::memset(out, 0, 32);
    wgd::store_le<std::uint64_t>(out, element);
}

} // namespace

extern "C" int crypto_scalarmult_curve25519_base(unsigned char* out, const unsigned char* scalar) {
    constexpr std::uint64_t kGenerator = 37;
    write(out, power(kGenerator, scalar));
    return 0;
}

extern "C" int crypto_scalarmult_curve25519(unsigned char* out, const unsigned char* scalar,
                                            const unsigned char* point) {
    const std::uint64_t element = wgd::load_le<std::uint64_t>(point) % kPrime;
    if (element <= 1) return -1; // of small order
    write(out, power(element, scalar));
    return 0;
}
