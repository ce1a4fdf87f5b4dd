// SPDX-License-Identifier: MIT
#include "common/config/diagnostic.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace wgd {

std::string format(const Diagnostic& diagnostic, std::string_view file) {
    std::string line =
        fmt::format("{}:{}:{}: {}: {}", file, diagnostic.position.line, diagnostic.position.column,
                    diagnostic.severity == Severity::kError ? "error" : "warning", diagnostic.message);
    if (!diagnostic.suggestion.empty())
        fmt::format_to(std::back_inserter(line), " (did you mean '{}'?)", diagnostic.suggestion);
    return line;
}

std::string format(const std::vector<Diagnostic>& diagnostics, std::string_view file) {
    std::string lines;
    for (const auto& diagnostic : diagnostics)
        lines += format(diagnostic, file) + "\n";
    return lines;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
    return std::any_of(diagnostics.begin(), diagnostics.end(),
                       [](const Diagnostic& each) { return each.severity == Severity::kError; });
}

} // namespace wgd
