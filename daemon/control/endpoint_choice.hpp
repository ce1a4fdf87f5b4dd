// SPDX-License-Identifier: MIT
// Which endpoint each peer of a profile is to have: the one it was given before stays, wherever the peer has
// roamed since, as long as the profile says the same; what the profile says anew is taken from its name's
// answer. Pure.
#pragma once

#include <map>
#include <set>
#include <string>

#include "common/config/profile.hpp"
#include "daemon/control/record.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::control {

struct EndpointChoice {
    plan::ResolvedEndpoints endpoints;
    std::map<PublicKey, std::string> specs; // the words that each of them came from, or still waits for
    std::set<PublicKey> renewed;            // the profile says something else than when they were set
};

// `answers`: what the names of this profile resolve to, as far as is known.
EndpointChoice choose_endpoints(const Profile& profile, const plan::ResolvedEndpoints& answers,
                                const Record& applied);

} // namespace wgd::control
