// SPDX-License-Identifier: MIT
#include "common/config/lexer.hpp"

#include <algorithm>

namespace wgd {

bool Lexer::next(Line& line) {
    if (offset_ >= text_.size()) return false;
    const auto newline = std::min(text_.find('\n', offset_), text_.size());
    line = Line{};
    line.number = ++number_;
    line.offset = offset_;
    line.text = text_.substr(offset_, newline - offset_);
    offset_ = newline + 1;

    // Everything below keeps pointing into line.text, also when empty: columns are computed from it.
    const auto hash = std::min(line.text.find('#'), line.text.size());
    const auto code = line.text.substr(0, hash);
    line.head = trim(code);
    line.value = line.raw_value = line.text.substr(line.text.size());
    line.comment = trim(line.text.substr(std::min(hash + 1, line.text.size())));
    if (line.head.empty()) {
        line.kind = hash < line.text.size() ? LineKind::kComment : LineKind::kBlank;
        return true;
    }
    if (line.head.front() == '[') {
        line.kind = LineKind::kSection;
        return true;
    }
    const auto equals = code.find('=');
    if (equals == std::string_view::npos) {
        line.kind = LineKind::kOther;
        return true;
    }
    line.kind = LineKind::kEntry;
    line.head = trim(code.substr(0, equals));
    line.value = trim(code.substr(equals + 1));
    line.raw_value = trim(line.text.substr(equals + 1));
    return true;
}

std::string_view trim(std::string_view text) {
    const auto* begin = std::find_if_not(text.begin(), text.end(), is_space);
    text.remove_prefix(static_cast<std::size_t>(begin - text.begin()));
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool equals_squeezed(std::string_view text, std::string_view word) {
    auto expected = word.begin();
    for (const char c : text) {
        if (is_space(c)) continue;
        if (expected == word.end() || to_lower(c) != to_lower(*expected++)) return false;
    }
    return expected == word.end();
}

} // namespace wgd
