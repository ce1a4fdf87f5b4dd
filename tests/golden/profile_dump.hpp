// SPDX-License-Identifier: MIT
// A profile as lines of text for the expected files: every value that is present, nothing else.
#pragma once

#include <string>

#include "common/config/parser.hpp"

namespace wgd::golden {

std::string dump(const ParseOutcome& outcome, std::string_view file);

} // namespace wgd::golden
