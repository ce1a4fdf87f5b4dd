// SPDX-License-Identifier: MIT
// What `wg-quick strip` prints, byte for byte: the lines that are wg(8)'s with their comments, without the
// blanks at their ends, and one more newline. Checks nothing. The result holds keys.
#pragma once

#include <string_view>

#include "common/base/secret_text.hpp"

namespace wgd {

SecretText strip(std::string_view text);

} // namespace wgd
