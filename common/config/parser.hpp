// SPDX-License-Identifier: MIT
// Text -> Profile, with everything that is wrong with the text at once. Pure: opens nothing, resolves
// nothing.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/config/diagnostic.hpp"
#include "common/config/profile.hpp"

namespace wgd {

enum class Dialect {
    kWgQuick, // a profile: wg(8) keys and wg-quick(8) keys
    kWg,      // what `wg setconf`, `addconf`, `syncconf` take: wg(8) keys only, a peer may be listed twice
};

struct ParseOutcome {
    std::optional<Profile> profile; // present iff no diagnostic is an error
    std::vector<Diagnostic>
        diagnostics; // by position; at most kMaxDiagnostics of each severity, then a closing line
};

inline constexpr std::size_t kMaxDiagnostics = 100;

// Accepts every text that wg-quick(8) accepts, except where accepting means silently doing something else
// than was written (a port over 65535, a peer listed twice, a table of 0): those are errors. Linear in the
// size of the text. The text holds keys: keep it in a SecretText. Diagnostics are free of them.
ParseOutcome parse(std::string_view text, const ProfileName& name, Dialect dialect = Dialect::kWgQuick);

} // namespace wgd
