// SPDX-License-Identifier: MIT
// Profile -> DeviceDelta: what a configuration asks of a device, in the three ways wg(8) applies one.
#pragma once

#include <optional>
#include <vector>

#include "common/config/profile.hpp"
#include "common/model/device.hpp"

namespace wgd {

// One entry per profile.peers, in order: the resolved endpoint, or nullopt to leave the peer's endpoint
// alone.
using ResolvedPeerEndpoints = std::vector<std::optional<Endpoint>>;

// The endpoints that need no look-up; the others are nullopt.
ResolvedPeerEndpoints numeric_endpoints(const Profile& profile);

// `wg setconf`: the device becomes what the profile says; absent interface keys are cleared.
DeviceDelta setconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints);
// `wg addconf`: adds to what is there; absent keys stay; a listed peer's allowed IPs are replaced.
DeviceDelta addconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints);
// `wg syncconf`: like setconf, but peers that are listed keep their sessions. `current` is the device as it
// is.
DeviceDelta syncconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints,
                           const WgDevice& current);

} // namespace wgd
