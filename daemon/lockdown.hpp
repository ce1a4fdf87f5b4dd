// SPDX-License-Identifier: MIT
// `wgd --lockdown`: the firewall that is closed at boot, before there is a network and long before wgd and
// its tunnels. What wgd does when it comes is up to it: it finds the table and knows it.
#pragma once

#include "common/base/result.hpp"
#include "daemon/control/settings.hpp"

namespace wgd {

// Closes if the settings say so; and if they cannot be read, because whoever runs this wants it closed in
// doubt. A lock that is there already (wgd is running) stays as it is. The exit status.
int close_at_boot(const Result<control::Settings>& settings);

} // namespace wgd
