// SPDX-License-Identifier: MIT
#include "daemon/plan/exclusion.hpp"

#include <algorithm>
#include <set>

#include "common/model/marks.hpp"

namespace wgd::plan {
namespace {

// Each once, without what is inside another.
std::vector<IpPrefix> outermost(const std::vector<IpPrefix>& ranges) {
    std::set<IpPrefix> kept;
    for (const IpPrefix& range : ranges)
        if (std::none_of(ranges.begin(), ranges.end(), [&](const IpPrefix& other) {
                return other.length() < range.length() && other.contains(range);
            }))
            kept.insert(range.network());
    return {kept.begin(), kept.end()};
}

bool holds(const std::vector<IpPrefix>& ranges, const IpPrefix& inner) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const IpPrefix& range) { return range.contains(inner); });
}

} // namespace

const std::vector<IpPrefix>& lan_ranges() {
    static const std::vector<IpPrefix> kRanges = [] {
        std::vector<IpPrefix> ranges;
        for (const char* text :
             {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "224.0.0.0/24",
              "239.0.0.0/8", "255.255.255.255/32", "fc00::/7", "fe80::/10", "ff02::/16", "ff05::/16"})
            ranges.push_back(*IpPrefix::parse(text));
        return ranges;
    }();
    return kRanges;
}

Exclusions derive_exclusions(const std::string& link, const std::vector<IpPrefix>& exclude,
                             const Routing& routing, const std::vector<IpPrefix>& addresses,
                             const std::vector<IpAddress>& dns_servers) {
    Exclusions exclusions;
    const std::vector<IpPrefix> ranges = outermost(exclude);
    std::vector<IpPrefix> inside; // goes through the tunnel by the main table, whatever the tunnel's says
    for (const Route& route : routing.routes) {
        const bool by_rule = routing.mark && route.table == *routing.mark;
        if (!by_rule && route.table == kMainTable) inside.push_back(route.destination);
        if (by_rule) continue;
        for (const IpPrefix& range : ranges)
            if (route.destination.contains(range))
                exclusions.warnings.push_back(
                    range.to_string() +
                    " goes through the tunnel although it is excluded: " + route.destination.to_string() +
                    " of the AllowedIPs holds it, and exceptions are made from a full tunnel's /0 only");
    }
    for (const IpPrefix& address : addresses)
        inside.push_back(address.network());

    for (const Route& route : routing.routes) {
        if (!routing.mark || route.table != *routing.mark || !route.destination.is_default()) continue;
        const auto same_family = [&](const auto& what) {
            return what.family() == route.destination.family();
        };
        for (const IpPrefix& range : ranges)
            if (same_family(range))
                exclusions.routes.push_back({range, "", route.table, kRouteProtocol, 0, RouteType::kThrow});
        for (const IpAddress& server : dns_servers) {
            const IpPrefix host = IpPrefix::host(server);
            if (same_family(server) && holds(ranges, host) && !holds(inside, host))
                exclusions.routes.push_back({host, link, route.table, kRouteProtocol, 0});
        }
    }
    return exclusions;
}

} // namespace wgd::plan
