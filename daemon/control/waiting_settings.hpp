// SPDX-License-Identifier: MIT
// Settings that a reload cannot apply: what carries a tunnel and where its link is are settled while it is
// up, and the kill switch is opened by nothing but `down`. Pure.
#pragma once

#include <string>
#include <vector>

#include "daemon/control/record.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

// What of `now` waits until the tunnel of this record is brought down and up again, a sentence each, with the
// file and line that says so. `before`: what it was made from or reloaded with.
std::vector<std::string> settings_that_wait(const TunnelSettings& now, const TunnelSettings& before,
                                            const Record& record, bool locked,
                                            const ports::BackendReport& backends);

} // namespace wgd::control
