// SPDX-License-Identifier: MIT
// What genkey, genpsk and pubkey share; behaviour and messages of wg(8).
#pragma once

#include "cli/command.hpp"

namespace wgd::cli {

// wg(8)'s complaint about surplus words; returns 1, its exit code for everything.
int key_tool_usage(const Invocation& invocation);
// Warns when standard output is a file that others can read.
void warn_if_world_accessible();
// Prints the key and a newline, and forgets the text.
int print_key(std::string key);

} // namespace wgd::cli
