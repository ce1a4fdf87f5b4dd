// SPDX-License-Identifier: MIT
#include "daemon/plan/mtu.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace wgd::plan {

std::uint32_t derive_mtu(const Snapshot& snapshot, const std::string& link, bool carries_ipv6,
                         std::vector<std::string>& warnings) {
    std::uint32_t path = 0;
    for (const EndpointPath& candidate : snapshot.endpoint_paths)
        if (candidate.link != link && candidate.mtu != 0)
            path = path == 0 ? candidate.mtu : std::min(path, candidate.mtu);
    if (path == 0 && snapshot.default_path && snapshot.default_path->link != link)
        path = snapshot.default_path->mtu;
    if (path == 0) path = kDefaultMtu + kTunnelOverhead;

    const std::uint32_t floor = carries_ipv6 ? kMinIpv6Mtu : kMinMtu;
    const std::uint32_t mtu = path > kTunnelOverhead ? path - kTunnelOverhead : 0;
    if (mtu < floor) {
        warnings.push_back("the path to the peer has an MTU of " + std::to_string(path) +
                           ", which leaves less than " + (carries_ipv6 ? "IPv6" : "a tunnel") +
                           " needs; using " + std::to_string(floor) + ", packets will be fragmented");
        return floor;
    }
    return std::min<std::uint32_t>(mtu, kMaxMtu);
}

} // namespace wgd::plan
