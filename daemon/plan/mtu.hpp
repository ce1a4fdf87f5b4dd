// SPDX-License-Identifier: MIT
// The MTU rule of wg-quick(8): what the paths to the endpoints leave over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/plan/snapshot.hpp"

namespace wgd::plan {

// The smallest path to an endpoint, else the default route's, else Ethernet's 1500; less kTunnelOverhead.
// Paths through the tunnel itself do not count. Never below what IPv6 needs (RFC 8200 section 5) when
// `carries_ipv6`: the outer packets are fragmented then, which works, while IPv6 on such a link would not;
// says so in `warnings`.
std::uint32_t derive_mtu(const Snapshot& snapshot, const std::string& link, bool carries_ipv6,
                         std::vector<std::string>& warnings);

} // namespace wgd::plan
