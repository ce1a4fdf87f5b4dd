// SPDX-License-Identifier: MIT
#include <algorithm>
#include <catch2/catch.hpp>

#include "datapath/crypto/x25519.hpp"
#include "tests/unit/datapath_crypto/vectors.hpp"

using namespace wgd;
using wgd::test::fixed;
using wgd::test::from_hex;

TEST_CASE("X25519 agrees with wycheproof and refuses all-zero results") {
    const auto tests = test::read_vectors("x25519.txt");
    REQUIRE(tests.size() == 518);
    std::size_t refused = 0;
    for (const auto& f : tests) {
        INFO("tcId " << f.at(0));
        const PrivateKey private_key(fixed<32>(from_hex(f.at(2))));
        std::array<std::uint8_t, 32> public_bytes{};
        const Bytes public_hex = from_hex(f.at(3));
        std::copy(public_hex.begin(), public_hex.end(), public_bytes.begin());
        const Bytes shared = from_hex(f.at(4));

        Secret<kKeySize> got;
        got.expose_mut()[0] = 1;
        const bool zero = std::all_of(shared.begin(), shared.end(), [](std::uint8_t b) { return b == 0; });
        CHECK(crypto::x25519(got, private_key, PublicKey(public_bytes)) == !zero);
        CHECK(std::equal(shared.begin(), shared.end(), got.expose().begin()));
        refused += zero ? 1 : 0;
    }
    CHECK(refused == 31);
}

TEST_CASE("both sides of a Diffie-Hellman agree") {
    for (int i = 0; i < 20; ++i) {
        const PrivateKey a = crypto::generate_private_key(system_random());
        const PrivateKey b = crypto::generate_private_key(system_random());
        Secret<kKeySize> ab, ba;
        REQUIRE(crypto::x25519(ab, a, derive_public_key(b)));
        REQUIRE(crypto::x25519(ba, b, derive_public_key(a)));
        CHECK(ab == ba);
        CHECK_FALSE(ab.is_zero());
    }
}
