// SPDX-License-Identifier: MIT
// The answer of `wgctl plan` and `wgctl reload`: steps as commands, warnings beside them.
#pragma once

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"

namespace wgd::cli {

// One step a line (or JSON), warnings on standard error; `nothing` when there are no steps. The exit status.
int print_steps(const Invocation& invocation, const PlanReply& reply, const std::string& nothing);

} // namespace wgd::cli
