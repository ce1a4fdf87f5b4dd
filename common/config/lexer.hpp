// SPDX-License-Identifier: MIT
// Lines of a profile and their parts, as views into the text: nothing is copied, nothing is judged.
// Parser, strip and editor read the same lines, so that they cannot disagree about what a line is.
#pragma once

#include <string_view>

#include "common/config/profile.hpp"

namespace wgd {

enum class LineKind {
    kBlank,
    kComment, // '#' is the first visible character
    kSection, // '[' is
    kEntry,   // has a '=' in front of any '#'
    kOther,
};

struct Line {
    unsigned number = 0;    // from 1
    std::size_t offset = 0; // of the line in the text
    std::string_view text;  // without its '\n'; a '\r' is white space at its end
    LineKind kind = LineKind::kBlank;
    std::string_view head;      // trimmed: an entry's key, or all in front of '#'
    std::string_view value;     // entry: between the first '=' and '#', trimmed
    std::string_view raw_value; // entry: all after the first '=', trimmed; what hooks get
    std::string_view comment;   // after the first '#', trimmed

    // Where a view that points into `text` (or just behind it) stands.
    [[nodiscard]] SourcePosition position_of(std::string_view part) const {
        return {number, static_cast<unsigned>(part.data() - text.data()) + 1};
    }
};

class Lexer {
  public:
    explicit Lexer(std::string_view text)
        : text_(text) {}
    bool next(Line& line); // false: end of text

  private:
    std::string_view text_;
    std::size_t offset_ = 0;
    unsigned number_ = 0;
};

// White space of wg(8) and of bash's [[:space:]] in the C locale.
[[nodiscard]] constexpr bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b); // ASCII only
// wg(8) deletes white space everywhere in a line before it compares: "[ Peer ]" is "[Peer]". True if `text`
// without its white space equals `word`, ignoring case.
[[nodiscard]] bool equals_squeezed(std::string_view text, std::string_view word);

} // namespace wgd
