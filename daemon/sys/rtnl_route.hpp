// SPDX-License-Identifier: MIT
// Routes over rtnetlink: all tables, both families. Source: rtnetlink(7), ip-route(8).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/result.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

// A unicast or throw route as the kernel lists it; a multipath route is one of these per next hop.
struct KernelRoute {
    IpPrefix destination;
    std::uint32_t link_index = 0; // 0 for a throw
    std::uint32_t table = 0;
    std::uint8_t protocol = 0;
    std::uint32_t metric = 0;
    std::uint32_t mtu = 0; // RTAX_MTU, 0 if the route has none
    plan::RouteType type = plan::RouteType::kUnicast;
};

Result<std::vector<KernelRoute>> read_routes(NetlinkSocket& socket);

// Where a datagram with this mark would leave: what `ip route get ADDRESS mark MARK` asks. nullopt: no route.
struct RouteLookup {
    std::uint32_t link_index = 0;
    std::uint32_t mtu = 0; // the route's or path's own, 0 if it has none
};
Result<std::optional<RouteLookup>> look_up_route(NetlinkSocket& socket, const IpAddress& destination,
                                                 std::uint32_t mark);

// A route straight through the link (`scope link` for IPv4), or a throw. Success when this very route exists
// already; kConflict when another one with the same destination and metric stands in that table.
Result<void> add_route(NetlinkSocket& socket, const plan::Route& route);
// Success when the route or the link is gone already.
Result<void> remove_route(NetlinkSocket& socket, const plan::Route& route);

} // namespace wgd::sys
