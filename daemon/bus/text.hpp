// SPDX-License-Identifier: MIT
// Text that is fit for the bus. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wgd::bus {

// `text` with every byte that is not part of valid UTF-8, and every NUL, replaced by '?'. The D-Bus
// specification allows nothing else in a string, and one bad string (a peer named in Latin-1 by a comment)
// would fail the whole reply it is part of.
std::string bus_text(std::string_view text);
std::vector<std::string> bus_text(const std::vector<std::string>& texts);

} // namespace wgd::bus
