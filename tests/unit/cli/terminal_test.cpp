// SPDX-License-Identifier: MIT
#include "cli/terminal.hpp"

#include <catch2/catch.hpp>

using namespace wgd::cli;

namespace {
const Style kPlain(false);
}

TEST_CASE("amounts of bytes are written as wg(8) writes them") {
    const auto [bytes, text] = GENERATE(table<std::uint64_t, std::string>({
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {1536, "1.50 KiB"},
        {1024 * 1024 - 1, "1024.00 KiB"},
        {1024 * 1024, "1.00 MiB"},
        {5ull << 30, "5.00 GiB"},
        {3ull << 40, "3.00 TiB"},
        {5000ull << 40, "5000.00 TiB"},
    }));
    CHECK(bytes_text(bytes, kPlain) == text);
}

TEST_CASE("spans of time name their non-zero units") {
    const auto [seconds, text] = GENERATE(table<std::uint64_t, std::string>({
        {0, "0 seconds"},
        {1, "1 second"},
        {59, "59 seconds"},
        {60, "1 minute"},
        {125, "2 minutes, 5 seconds"},
        {3600, "1 hour"},
        {86400 + 1, "1 day, 1 second"},
        {365ull * 86400, "1 year"},
        {2ull * 365 * 86400 + 3 * 86400 + 4 * 3600 + 5 * 60 + 6,
         "2 years, 3 days, 4 hours, 5 minutes, 6 seconds"},
    }));
    CHECK(duration_text(seconds, kPlain) == text);
}

TEST_CASE("how long ago") {
    CHECK(ago_text(100, 100, kPlain) == "Now");
    CHECK(ago_text(100, 161, kPlain) == "1 minute, 1 second ago");
    CHECK(ago_text(100, 99, kPlain) == "(System clock wound backward; connection problems may ensue.)");
}

TEST_CASE("text from elsewhere cannot drive the terminal") {
    CHECK(printable("plain caf\u00e9") == "plain caf\u00e9");
    CHECK(printable("a\x1b[31mred\x07\x7f\r\n\t") == "a?[31mred?????");
    CHECK(printable("\u009b31m") == "?31m"); // C1 CSI
    CHECK(printable_lines("one\ntwo\x1b") == "one\ntwo?");
}

TEST_CASE("colours only when wanted") {
    CHECK(kPlain.red("x") == "x");
    CHECK(Style(true).red("x") == "\x1b[1;31mx\x1b[0m");
}
