// SPDX-License-Identifier: MIT
// Values under /proc/sys, of the network namespace of the calling thread. Keys with slashes, as in
// plan::SetSysctl.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace wgd::sys {

// Without the newline that the kernel puts behind a value. kNotFound: this kernel has no such key;
// kInvalidArgument: no key at all ("../", "/x", "").
Result<std::string> read_sysctl(const std::string& key);
// Writes only what differs. kNotFound, kInvalidArgument, kKernel (the kernel refuses the value).
Result<void> write_sysctl(const std::string& key, const std::string& value);

// It is there, and on a read-only mount (a container's /proc/sys).
bool sysctl_read_only(const std::string& key);

// Whether this host speaks IPv6 at all: built in, and not disabled for all links or for new ones.
bool ipv6_available();

} // namespace wgd::sys
