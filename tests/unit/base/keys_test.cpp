// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include <type_traits>

#include "common/model/keys.hpp"

using namespace wgd;

TEST_CASE("public key of a known private key, as stock wg derives it") {
    const auto key = PrivateKey::from_base64("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=");
    REQUIRE(key);
    CHECK(derive_public_key(*key).to_base64() == "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=");
}

TEST_CASE("generated private keys are clamped") {
    std::array<std::uint8_t, 32> random{};
    random.fill(0xff);
    const auto key = clamp_private_key(random);
    CHECK(key.expose()[0] == 0xf8);
    CHECK(key.expose()[31] == 0x7f);
    random.fill(0);
    CHECK(clamp_private_key(random).expose()[31] == 0x40);
}

TEST_CASE("a secret moves, is wiped, and is not copied") {
    static_assert(!std::is_copy_constructible_v<PrivateKey> && !std::is_copy_assignable_v<PresharedKey>);
    auto key = *PresharedKey::from_hex(std::string(64, '7'));
    auto moved = std::move(key);
    CHECK(key.is_zero()); // NOLINT(bugprone-use-after-move): that it is wiped is the point
    CHECK_FALSE(moved.is_zero());
    CHECK(moved == moved.clone());
    moved.wipe();
    CHECK(moved.is_zero());
}
