// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <cctype>
#include <string>

#include "common/base/encoding.hpp"

using namespace wgd;

TEST_CASE("base64 round trip and canonical form") {
    Bytes bytes(32);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 37);
    const auto text = encode_base64(bytes);
    CHECK(text.size() == 44);
    Bytes out(32);
    REQUIRE(decode_base64(text, out));
    CHECK(out == bytes);

    const std::string good = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    CHECK(decode_base64(good, out));
    for (const std::string& bad :
         {good.substr(0, 43), good + "=", " " + good.substr(1),
          good.substr(0, 42) + "l=", std::string(good).replace(5, 1, "-"),
          std::string(good).replace(5, 1, "\n"), std::string(), good.substr(0, 43) + "A"})
        CHECK_FALSE(decode_base64(bad, out));
    CHECK(out == Bytes(32, 0)); // nothing of a rejected text stays behind
}

TEST_CASE("hex round trip") {
    Bytes out(4);
    REQUIRE(decode_hex("00fFA510", out));
    CHECK(encode_hex(out) == "00ffa510");
    for (const auto* bad : {"00ffa5", "00ffa5100", "00ffa51g", "0x00ffa5", "00ff a51"}) {
        CHECK_FALSE(decode_hex(bad, out));
        CHECK(out == Bytes(4, 0));
    }
    for (int code = 0; code < 256; ++code) {
        const char character = static_cast<char>(code);
        const bool digit = std::isxdigit(code) != 0;
        const std::string low{'0', character}, high{character, '7'};
        Bytes byte(1);
        CHECK(decode_hex(low, byte) == digit);
        CHECK(byte[0] == (digit ? std::stoi(low, nullptr, 16) : 0));
        CHECK(decode_hex(high, byte) == digit);
        CHECK(byte[0] == (digit ? std::stoi(high, nullptr, 16) : 0));
    }
}
