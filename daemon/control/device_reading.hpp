// SPDX-License-Identifier: MIT
// DeviceReading: what was last seen of a tunnel's link and its device, as a view tells it. A device with ten
// thousand peers takes a while to read, and many ask at about the same time: each change of state, each page
// of peers. So one reading serves them all, for a while that grows with what it cost. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/profile.hpp"
#include "common/model/device.hpp"
#include "daemon/control/peer_state.hpp"
#include "daemon/control/view.hpp"

namespace wgd::control {

struct DeviceReading {
    Instant at{};    // when it was finished
    Duration took{}; // to read it
    std::uint32_t ifindex = 0;
    std::uint32_t mtu = 0;
    std::vector<IpPrefix> addresses;
    std::string dns_problem;
    PublicKey public_key;
    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0;
    PeerViews peers;

    // Reading takes at most a tenth of the time, however often somebody asks.
    static constexpr int kGoodFor = 10; // times as long as it took
    [[nodiscard]] bool is_fresh(Instant now) const { return now - at < kGoodFor * took; }
};

// What the profile says of its peers.
PeerViews peers_of_profile(const Profile& profile);

using PeerTrackers = std::unordered_map<PublicKey, PeerTracker>;

// The device's peers, with what the profile (null: none) knows of them. Brings the trackers up to date; of
// peers that are gone none is left.
PeerViews peers_of_device(const WgDevice& device, const Profile* profile, PeerTrackers& trackers, Instant now,
                          WallTime wall);

} // namespace wgd::control
