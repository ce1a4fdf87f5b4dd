// SPDX-License-Identifier: MIT
#include "common/config/strip.hpp"

#include "common/config/key_table.hpp"
#include "common/config/lexer.hpp"

namespace wgd {

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
        out.append(line.text).push_back('\n');
    }
    out.push_back('\n');
    return out;
}

} // namespace wgd
