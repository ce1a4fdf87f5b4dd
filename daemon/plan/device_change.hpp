// SPDX-License-Identifier: MIT
// The difference between the WireGuard device a tunnel wants and the one there is, and its inverse.
#pragma once

#include "common/model/device.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::plan {

// Everything, for a device just created.
DeviceDelta whole_device(const DesiredDevice& device);
// Everything of a device as it was, for one that has to be created again.
DeviceDelta whole_device(const WgDevice& device);

struct DeviceChange {
    DeviceDelta apply; // empty: nothing to do
    DeviceDelta undo;  // also right when `apply` was done only in part
};

// Touches changed peers only, so that the others keep their sessions. An allowed IP that moves to another
// peer is not removed from the first: adding it to the second does that, without a moment in which neither
// has it.
DeviceChange device_change(const DesiredDevice& want, const WgDevice& have, bool ignore_endpoints);

// The mark, and endpoints that the device lacks or the profile has changed; everything else stays as it is.
DeviceChange device_upkeep(const DesiredDevice& want, const WgDevice& have, bool ignore_endpoints);

// Peers that nobody asked for, or that have a preshared key or a keepalive although none was asked for.
std::set<PublicKey> guests_of(const DesiredDevice& want, const WgDevice& have);

// The device as a plan's steps leave it, once all of them are acknowledged. None if there was none, or if
// they make or delete the link.
std::optional<WgDevice> device_after(std::optional<WgDevice> before, const Plan& plan);

} // namespace wgd::plan
