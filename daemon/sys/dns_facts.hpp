// SPDX-License-Identifier: MIT
// Who has a hand in /etc/resolv.conf, as far as files tell (who is on the bus is sys/dns_bus's to say).
#pragma once

#include <string>

#include "daemon/plan/dns.hpp"

namespace wgd::sys {

// A handful of small files: cheap enough for every snapshot. What cannot be read counts as not there.
plan::DnsFacts read_dns_facts(const std::string& resolv_conf);

} // namespace wgd::sys
