// SPDX-License-Identifier: MIT
// Collects diagnostics, counts all of them, keeps the first kMaxDiagnostics of each severity.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "common/config/parser.hpp"

namespace wgd {

class Collector {
  public:
    void error(SourcePosition position, std::string message, std::string suggestion = {});
    void warning(SourcePosition position, std::string message, std::string suggestion = {});
    [[nodiscard]] bool has_errors() const { return counts_[1] > 0; }
    // Further errors are counted only: not worth working out a suggestion for.
    [[nodiscard]] bool is_full() const { return counts_[1] >= kMaxDiagnostics; }
    // By position; where some were left out, a closing line per severity at `end` says how many.
    std::vector<Diagnostic> take(SourcePosition end) &&;

  private:
    void add(Severity severity, SourcePosition position, std::string message, std::string suggestion);
    std::vector<Diagnostic> kept_;
    std::array<std::size_t, 2> counts_{}; // by Severity
};

} // namespace wgd
