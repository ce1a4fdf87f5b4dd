// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "common/model/names.hpp"

using namespace wgd;

TEST_CASE("tunnel names are wg-quick's, less what is dangerous as a path or an option") {
    for (const auto* good : {"wg0", "home", "A=b+c.d_e-f", "123456789012345", "a.conf", "..."})
        CHECK(ProfileName::parse(good));
    for (const auto* bad : {"", ".", "..", "-rf", "a/b", "../x", "/x", "1234567890123456", "a b", "\xc3\xa4",
                            "a\nb", "%i", "a:b"}) {
        const auto name = ProfileName::parse(bad);
        REQUIRE_FALSE(name);
        CHECK(name.error().code == ErrorCode::kInvalidName);
        CHECK(name.error().message.find('\n') == std::string::npos);
    }
    CHECK_FALSE(ProfileName::parse(std::string_view("a\0b", 3)));
}
