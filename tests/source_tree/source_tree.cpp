// SPDX-License-Identifier: MIT
#include "tests/source_tree/source_tree.hpp"

namespace wgd::test {

std::filesystem::path source_tree(const std::filesystem::path& below) {
    return std::filesystem::path(WGD_SOURCE_DIR) / below;
}

} // namespace wgd::test
