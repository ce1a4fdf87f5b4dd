// SPDX-License-Identifier: MIT
// Exceptions from a full tunnel: `exclude` in wgd.toml. The policy routing stays as it is (the mark, the
// rules, the default route in a table of its own); what is excluded gets a `throw` route in that table
// (ip-route(8)), which ends the look-up there, so that the main table decides as if there was no tunnel.
#pragma once

#include <string>
#include <vector>

#include "common/base/ip.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::plan {

// What `exclude = ["lan"]` means: the ranges of local networks (RFC 1918, 3927, 4193, 4291) and the multicast
// that stays on them. A public range that a router claims to be local is deliberately not among them.
const std::vector<IpPrefix>& lan_ranges();

struct Exclusions {
    std::vector<Route> routes; // into the tunnel's table
    std::vector<std::string> warnings;
};

// `routing`: of the same tunnel. The tunnel's DNS servers stay inside, also where an excluded range holds
// them. Allowed IPs that are no /0 stay inside too, because they are more to the point; a warning names those
// that hold an excluded range.
Exclusions derive_exclusions(const std::string& link, const std::vector<IpPrefix>& exclude,
                             const Routing& routing, const std::vector<IpPrefix>& addresses,
                             const std::vector<IpAddress>& dns_servers);

} // namespace wgd::plan
