// SPDX-License-Identifier: MIT
// Profiles and configurations in files, read with the caller's own rights.
#pragma once

#include <string>

#include "cli/exit_code.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/names.hpp"

namespace wgd::cli {

// An argument that means a file rather than an installed profile: "-", or with a slash, or ending in ".conf".
bool is_file_name(const std::string& word);
// "-" is standard input. Refuses what is larger than kMaxProfileBytes.
Outcome<SecretText> read_file(const std::string& path);
// The name the profile of a file would have: "home" for "/x/home.conf".
Result<ProfileName> name_of_file(const std::string& path);

} // namespace wgd::cli
