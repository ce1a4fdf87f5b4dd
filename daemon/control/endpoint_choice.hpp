// SPDX-License-Identifier: MIT
// Which endpoint each peer of a profile is to have: the one it was given before stays, wherever the peer has
// roamed since, as long as the profile says the same and the peer is not known to have moved
// (EndpointSearch); what the profile says anew is taken from its name's answer. Pure.
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

// `answers`: what the names of this profile resolve to, as far as is known. `moved`: peers of whom it is
// known that they are no longer where they were.
EndpointChoice choose_endpoints(const Profile& profile, const plan::ResolvedEndpoints& answers,
                                const std::set<PublicKey>& moved, const Record& applied);

// The endpoints that peers were given by the very words that the profile has now.
plan::ResolvedEndpoints endpoints_kept(const Profile& profile, const Record& applied);

} // namespace wgd::control
