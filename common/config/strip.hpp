// SPDX-License-Identifier: MIT
// What `wg-quick strip` prints: the lines that are wg(8)'s, as written, comments and spacing included, and
// one more newline. Checks nothing. The result holds keys.
#pragma once

#include <string_view>

#include "common/base/secret_text.hpp"

namespace wgd {

SecretText strip(std::string_view text);

} // namespace wgd
