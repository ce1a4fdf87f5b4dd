// SPDX-License-Identifier: MIT
// Which backend carries a tunnel, and why, in words for people.
#pragma once

#include <string>

#include "common/base/result.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

struct BackendChoice {
    plan::Backend backend = plan::Backend::kKernel;
    std::string reason; // "the kernel has WireGuard (in-tree)"
};

// kUnsupported when nothing can carry it, or when what the settings demand cannot.
Result<BackendChoice> choose_backend(BackendPreference preference, const ports::BackendReport& report);

} // namespace wgd::control
