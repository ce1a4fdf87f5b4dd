// SPDX-License-Identifier: MIT
#include "common/config/collector.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "common/config/parser.hpp"

namespace wgd {

void Collector::error(SourcePosition position, std::string message, std::string suggestion) {
    add(Severity::kError, position, std::move(message), std::move(suggestion));
}

void Collector::warning(SourcePosition position, std::string message, std::string suggestion) {
    add(Severity::kWarning, position, std::move(message), std::move(suggestion));
}

void Collector::add(Severity severity, SourcePosition position, std::string message, std::string suggestion) {
    if (++counts_[static_cast<std::size_t>(severity)] <= kMaxDiagnostics)
        kept_.push_back({severity, position, std::move(message), std::move(suggestion)});
}

std::vector<Diagnostic> Collector::take(SourcePosition end) && {
    std::stable_sort(kept_.begin(), kept_.end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return a.position < b.position; });
    for (const auto severity : {Severity::kError, Severity::kWarning}) {
        const auto count = counts_[static_cast<std::size_t>(severity)];
        if (count > kMaxDiagnostics)
            kept_.push_back({severity,
                             end,
                             fmt::format("and {} more {}{}, not shown", count - kMaxDiagnostics,
                                         severity == Severity::kError ? "error" : "warning",
                                         count - kMaxDiagnostics == 1 ? "" : "s"),
                             {}});
    }
    return std::move(kept_);
}

} // namespace wgd
