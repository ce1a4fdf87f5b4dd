// SPDX-License-Identifier: MIT
// The names of nftables tables, asked of the kernel directly: libnftables reads the whole ruleset into its
// cache before it lists anything, and most machines have no table of ours to be listed.
#pragma once

#include <set>
#include <string>

#include "common/base/result.hpp"

namespace wgd::sys {

// Of family inet, in the network namespace of the calling thread. kUnsupported if the kernel or this process
// cannot do nftables, with the reason.
Result<std::set<std::string>> read_nft_table_names();

} // namespace wgd::sys
