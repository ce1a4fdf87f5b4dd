// SPDX-License-Identifier: MIT
// The planner: profile + snapshot -> desired state -> difference -> steps with undo. Pure: no system call, no
// clock, no log. Deterministic: the same inputs give the same plan in the same order.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/profile.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/plan/snapshot.hpp"

namespace wgd::plan {

// Host names of a profile resolved outside the planner; a peer without an entry has no endpoint yet.
using ResolvedEndpoints = std::map<PublicKey, Endpoint>;

// What an administrator decided in wgd.toml for this tunnel, and what the machine offers.
struct Policy {
    Backend backend = Backend::kKernel; // already chosen: daemon/control/backend_choice
    // What our own records say belongs to this tunnel (kept over restart): its mark, and the values that sysctls
    // had before the first tunnel changed them.
    std::optional<std::uint32_t> owned_mark;
    std::map<std::string, std::string> original_sysctls;
    std::set<std::string> sysctls_shared; // keys that another tunnel of ours still needs
};

// Everything a tunnel wants to be true. Absent link: the tunnel is to be gone (down).
struct Desired {
    bool present = true;
    std::string link;
    std::string alias;
    Backend backend = Backend::kKernel;
    std::shared_ptr<const WgDevice> device; // private key, port, mark, peers with endpoint and allowed IPs
    std::vector<IpPrefix> addresses;        // in file order
    std::uint32_t mtu = 0;
    std::vector<Rule> rules;
    std::vector<Route> routes; // longest prefix first
    std::map<std::string, std::string> sysctls;
    std::vector<std::string> warnings;
};

// wg-quick(8)'s meaning of a profile (compat.md C5, C6), without its defects. kConflict when something that is
// not ours is in the way (link name, route, rule table); kUnsupported when nothing of the profile can work here.
Result<Desired> derive_desired(const Profile& profile, const ResolvedEndpoints& endpoints,
                               const Policy& policy, const Snapshot& snapshot);
// "Nothing of this tunnel": what `down` wants.
Desired derive_absent(const std::string& link, const Policy& policy);

// The steps that turn the snapshot into the desired state; empty iff converged. kConflict as above.
Result<Plan> diff(const Desired& desired, const Snapshot& snapshot);

// First N >= kFirstAutoMark such that no rule, route table or device of the snapshot uses N, as fwmark or as
// table, and which is not in marks_in_use. kUnsupported when the range is exhausted.
Result<std::uint32_t> allocate_mark(const Snapshot& snapshot);

} // namespace wgd::plan
