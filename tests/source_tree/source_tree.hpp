// SPDX-License-Identifier: MIT
// The checkout the tests were built from.
#pragma once

#include <filesystem>

namespace wgd::test {

/// An absolute path below the top of the source tree: source_tree("conf/wgd.toml").
std::filesystem::path source_tree(const std::filesystem::path& below);

} // namespace wgd::test
