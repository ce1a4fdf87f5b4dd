// SPDX-License-Identifier: MIT
// Text -> Profile: a profile iff there is no error, positions inside the text, bounded output, and what strip
// leaves of an unblemished profile is a configuration of wg(8).
#include <cstdint>
#include <cstdlib>

#include "common/config/parser.hpp"
#include "common/config/profile_delta.hpp"
#include "common/config/strip.hpp"

using namespace wgd;

namespace {
void require(bool holds) {
    if (!holds) std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto name = *ProfileName::parse("fuzz");
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto outcome = parse(text, name);
    require(outcome.profile.has_value() != has_errors(outcome.diagnostics));
    require(outcome.diagnostics.size() <= 2 * kMaxDiagnostics + 2);
    for (const auto& each : outcome.diagnostics) {
        require(each.position.line >= 1 && each.position.column >= 1 && each.position.column <= size + 1);
        require(!each.message.empty() && each.message.size() < 400);
    }
    if (outcome.profile) {
        const auto& profile = *outcome.profile;
        (void)setconf_delta(profile.clone(), numeric_endpoints(profile));
    }
    const auto stripped = strip(text);
    if (outcome.diagnostics.empty()) require(parse(stripped, name, Dialect::kWg).profile.has_value());
    return 0;
}
