// SPDX-License-Identifier: MIT
#include "common/config/lexer.hpp"

#include <catch2/catch.hpp>

using namespace wgd;

namespace {
Line only_line(std::string_view text) {
    Lexer lexer(text);
    Line line;
    REQUIRE(lexer.next(line));
    Line none;
    CHECK_FALSE(lexer.next(none));
    return line;
}
} // namespace

TEST_CASE("kinds of lines") {
    CHECK(only_line(" \t\r\n").kind == LineKind::kBlank);
    CHECK(only_line("  # Name = x ").kind == LineKind::kComment);
    CHECK(only_line("[Peer] # phone").kind == LineKind::kSection);
    CHECK(only_line("Key = value").kind == LineKind::kEntry);
    CHECK(only_line("Key # = value").kind == LineKind::kOther);
    CHECK(only_line("; comment").kind == LineKind::kOther);
    CHECK(only_line("=").kind == LineKind::kEntry);
}

TEST_CASE("parts of an entry and their columns") {
    const auto line = only_line("  PostUp = echo '#1' = 2  \r\n");
    CHECK(line.head == "PostUp");
    CHECK(line.value == "echo '");
    CHECK(line.raw_value == "echo '#1' = 2");
    CHECK(line.comment == "1' = 2");
    CHECK(line.position_of(line.head) == SourcePosition{1, 3});
    CHECK(line.position_of(line.value) == SourcePosition{1, 12});
    const auto empty = only_line("MTU =  ");
    CHECK(empty.value.empty());
    CHECK(empty.position_of(empty.value).line == 1);
}

TEST_CASE("the last line needs no newline, an empty text has no line") {
    Lexer lexer("a=1\n\nb=2");
    Line line;
    CHECK(lexer.next(line));
    CHECK(lexer.next(line));
    CHECK(line.kind == LineKind::kBlank);
    CHECK(lexer.next(line));
    CHECK(line.number == 3);
    CHECK(line.offset == 5);
    CHECK(line.text == "b=2");
    CHECK_FALSE(lexer.next(line));
    Lexer nothing("");
    CHECK_FALSE(nothing.next(line));
}

TEST_CASE("white space inside words, as wg(8) deletes it") {
    CHECK(equals_squeezed("[ P eer\t]", "[Peer]"));
    CHECK(equals_squeezed("private Key", "PrivateKey"));
    CHECK_FALSE(equals_squeezed("PrivateKe", "PrivateKey"));
    CHECK_FALSE(equals_squeezed("PrivateKeyy", "PrivateKey"));
}
