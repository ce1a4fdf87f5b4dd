// SPDX-License-Identifier: MIT
#include "cli/steps.hpp"

#include <cstdio>

namespace wgd::cli {

int print_steps(const Invocation& invocation, const PlanReply& reply, const std::string& nothing) {
    if (invocation.has("--json"))
        return print(dump({{"version", 1}, {"steps", reply.steps}, {"warnings", reply.warnings}}));
    for (const auto& warning : reply.warnings)
        std::fprintf(stderr, "%s: warning: %s\n", invocation.program.c_str(), printable(warning).c_str());
    if (reply.steps.empty()) return print(nothing + "\n");
    std::string text;
    for (const auto& step : reply.steps)
        text += printable_lines(step) + "\n";
    return print(text);
}

} // namespace wgd::cli
