// SPDX-License-Identifier: MIT
#include "daemon/bus/text.hpp"

#include <catch2/catch.hpp>

using wgd::bus::bus_text;

TEST_CASE("valid UTF-8 passes unchanged") {
    const auto text = GENERATE(as<std::string>{}, "", "plain\ttext\nlines", "caf\u00e9", "\u20ac",
                               "\U0001f512", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbf", "\xed\x9f\xbf");
    CHECK(bus_text(text) == text);
}

TEST_CASE("what is not UTF-8 is replaced, byte by byte, and nothing else is") {
    // Ill-formed sequences of Unicode 15, table 3-7: lone and missing continuations, overlong forms,
    // surrogates, beyond U+10FFFF.
    const auto [bad, clean] = GENERATE(table<std::string, std::string>({
        {"caf\xe9!", "caf?!"},
        {"\x80", "?"},
        {"\xc0\xaf", "??"},
        {"\xc3", "?"},
        {"a\xe2\x82", "a??"},
        {"\xe0\x80\x80", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xc3(\xc3\xa9", "?(\u00e9"},
    }));
    CHECK(bus_text(bad) == clean);
}

TEST_CASE("a NUL, which a D-Bus string cannot hold, is replaced") {
    CHECK(bus_text(std::string("a\0b", 3)) == "a?b");
}
