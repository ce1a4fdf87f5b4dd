// SPDX-License-Identifier: MIT
// Diagnostic: one finding about a profile's text. Never contains key material.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/profile.hpp"

namespace wgd {

enum class Severity { kWarning, kError };

struct Diagnostic {
    Severity severity = Severity::kError;
    SourcePosition position; // of the offending value or key
    std::string message;     // one sentence, no full stop
    std::string suggestion;  // what to write instead, e.g. "PersistentKeepalive"; "" if there is none

    bool operator==(const Diagnostic&) const = default;
};

// "file:line:column: error: message (did you mean 'suggestion'?)"; the form editors and compilers agree on.
std::string format(const Diagnostic& diagnostic, std::string_view file);
// All of them, one per line, each line ended by '\n'.
std::string format(const std::vector<Diagnostic>& diagnostics, std::string_view file);

[[nodiscard]] bool has_errors(const std::vector<Diagnostic>& diagnostics);

} // namespace wgd
