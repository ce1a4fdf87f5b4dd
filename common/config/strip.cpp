// SPDX-License-Identifier: MIT
#include "common/config/strip.hpp"

#include <algorithm>

#include "common/config/key_table.hpp"
#include "common/config/lexer.hpp"

namespace wgd {
namespace {

// bash's `read` takes blanks off both ends of a line; a carriage return stays.
std::string_view trim_blanks(std::string_view line) {
    const auto begin = std::min(line.find_first_not_of(" \t"), line.size());
    line.remove_prefix(begin);
    return line.substr(0, line.find_last_not_of(" \t") + 1);
}

} // namespace

SecretText strip(std::string_view text) {
    SecretText out;
    out.reserve(text.size() + 2);
    bool in_interface = false;
    Lexer lexer(text);
    for (Line line; lexer.next(line);) {
        if (line.kind == LineKind::kSection) // wg-quick(8) knows its section without spaces in it only
            in_interface = equals_ignoring_case(line.head, "[Interface]");
        if (in_interface && line.kind == LineKind::kEntry) {
            const auto* key = find_key(line.head);
            if (key != nullptr && key->owner == KeyOwner::kWgQuick &&
                equals_ignoring_case(line.head, key->name))
                continue;
        }
        out.append(trim_blanks(line.text)).push_back('\n');
    }
    out.push_back('\n');
    return out;
}

} // namespace wgd
