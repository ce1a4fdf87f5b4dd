// SPDX-License-Identifier: MIT
// Names of routing tables, as ip-route(8) knows them: /etc/iproute2/rt_tables and rt_tables.d/*.conf, with
// the kernel's own three ("local", "main", "default") always there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace wgd::sys {

using TableNames = std::map<std::string, std::uint32_t>;

// Lines "NUMBER NAME", '#' begins a comment, numbers decimal or 0x hexadecimal; other lines are skipped.
// Pure.
void parse_table_names(std::string_view text, TableNames& into);
TableNames read_table_names();

} // namespace wgd::sys
