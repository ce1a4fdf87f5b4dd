// SPDX-License-Identifier: MIT
#include "daemon/sys/rtnl_route.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "daemon/sys/rtnl_link.hpp"

namespace wgd::sys {
namespace {

bool is_throw(const plan::Route& route) {
    return route.type == plan::RouteType::kThrow;
}

NetlinkMessage route_message(int type, int flags, const plan::Route& route, std::uint32_t index) {
    const bool deleting = type == RTM_DELROUTE;
    const IpPrefix network = route.destination.network();
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(network.address().af());
    header.rtm_dst_len = static_cast<std::uint8_t>(network.length());
    header.rtm_table = route.table < 256 ? static_cast<std::uint8_t>(route.table)
                                         : static_cast<std::uint8_t>(RT_TABLE_COMPAT);
    header.rtm_protocol = route.protocol;
    header.rtm_type = is_throw(route) ? RTN_THROW : RTN_UNICAST;
    // A delete matches any scope with "nowhere"; IPv6 has no scopes and wants 0, and so does what goes
    // nowhere.
    if (network.family() == Family::kIpv4)
        header.rtm_scope = deleting ? RT_SCOPE_NOWHERE : is_throw(route) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    NetlinkMessage message(type, flags, header);
    message.put_u32(RTA_TABLE, route.table);
    if (!is_throw(route)) message.put_u32(RTA_OIF, index);
    if (!network.is_default()) message.put_address(RTA_DST, network.address());
    if (route.metric != 0) message.put_u32(RTA_PRIORITY, route.metric);
    return message;
}

std::string route_text(const plan::Route& route) {
    if (is_throw(route)) return fmt::format("throw {} table {}", route.destination.to_string(), route.table);
    return fmt::format("{} dev {} table {}", route.destination.to_string(), route.link, route.table);
}

void parse_route(const nlmsghdr* message, std::vector<KernelRoute>& into) {
    const auto* header = fixed_header<rtmsg>(message);
    if (header == nullptr || (header->rtm_type != RTN_UNICAST && header->rtm_type != RTN_THROW) ||
        (header->rtm_flags & RTM_F_CLONED) != 0)
        return;
    if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return;
    const auto attributes = NetlinkAttributes::of(message, sizeof *header);
    KernelRoute route;
    const Family family = header->rtm_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
    const IpAddress any = family == Family::kIpv4 ? IpAddress() : IpAddress::v6({});
    const auto destination = IpPrefix::make(attributes.address(RTA_DST).value_or(any), header->rtm_dst_len);
    if (!destination) return;
    route.destination = *destination;
    route.table = attributes.u32(RTA_TABLE).value_or(header->rtm_table);
    route.protocol = header->rtm_protocol;
    route.metric = attributes.u32(RTA_PRIORITY).value_or(0);
    route.mtu = attributes.nested(RTA_METRICS).u32(RTAX_MTU).value_or(0);
    if (header->rtm_type == RTN_THROW) { // IPv6 shows the loopback link, for want of another
        route.type = plan::RouteType::kThrow;
        into.push_back(route);
        return;
    }
    if (const auto index = attributes.u32(RTA_OIF)) {
        route.link_index = *index;
        into.push_back(route);
        return;
    }
    const ByteView hops = attributes.bytes(RTA_MULTIPATH);
    for (std::size_t at = 0; at + sizeof(rtnexthop) <= hops.size();) {
        rtnexthop hop{};
        std::memcpy(&hop, hops.data() + at, sizeof hop);
        if (hop.rtnh_len < sizeof hop) break;
        route.link_index = static_cast<std::uint32_t>(hop.rtnh_ifindex);
        into.push_back(route);
        at += RTNH_ALIGN(hop.rtnh_len);
    }
}

Result<void> dump_routes(NetlinkSocket& socket, int family, const plan::Route* filter,
                         std::uint32_t filter_index, std::vector<KernelRoute>& into) {
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(family);
    if (filter != nullptr) header.rtm_protocol = filter->protocol;
    NetlinkMessage message(RTM_GETROUTE, 0, header);
    if (filter != nullptr) message.put_u32(RTA_TABLE, filter->table);
    if (filter_index != 0) message.put_u32(RTA_OIF, filter_index);
    auto done = socket.dump(message, "cannot read the routes",
                            [&](const nlmsghdr* answer) { parse_route(answer, into); });
    if (done) return done;
    // A kernel without IPv6 has no IPv6 routes; a filter on a table that does not exist is ENOENT.
    if (family == AF_INET6 && done.error().code == ErrorCode::kUnsupported) return {};
    if (filter != nullptr && done.error().sys_errno == ENOENT) return {};
    return done;
}

} // namespace

Result<std::vector<KernelRoute>> read_routes(NetlinkSocket& socket) {
    std::vector<KernelRoute> routes;
    for (const int family : {AF_INET, AF_INET6})
        WGD_TRY(dump_routes(socket, family, nullptr, 0, routes));
    return routes;
}

Result<std::optional<RouteLookup>> look_up_route(NetlinkSocket& socket, const IpAddress& destination,
                                                 std::uint32_t mark) {
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(destination.af());
    header.rtm_dst_len = static_cast<std::uint8_t>(destination.bits());
    NetlinkMessage message(RTM_GETROUTE, 0, header);
    message.put_address(RTA_DST, destination);
    if (mark != 0) message.put_u32(RTA_MARK, mark);
    std::optional<RouteLookup> found;
    auto done = socket.query(
        message, "cannot look up the route to " + destination.to_string(), [&](const nlmsghdr* answer) {
            const auto* route = fixed_header<rtmsg>(answer);
            if (route == nullptr || (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)) return;
            const auto attributes = NetlinkAttributes::of(answer, sizeof *route);
            if (const auto index = attributes.u32(RTA_OIF))
                found = RouteLookup{*index, attributes.nested(RTA_METRICS).u32(RTAX_MTU).value_or(0)};
        });
    if (done) return found;
    switch (done.error().sys_errno) { // answers to the question, not failures
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EACCES: // `prohibit`
    case EINVAL: // `blackhole`
    case EAFNOSUPPORT:
        return std::optional<RouteLookup>();
    default:
        return fail(std::move(done).error());
    }
}

Result<void> add_route(NetlinkSocket& socket, const plan::Route& route) {
    Result<std::uint32_t> index = 0;
    if (!is_throw(route)) index = link_index(socket, route.link);
    if (!index) return fail(std::move(index).error());
    auto message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, *index);
    auto added = socket.request(message, "cannot add route " + route_text(route));
    if (added || added.error().sys_errno != EEXIST) return added;
    std::vector<KernelRoute> existing;
    WGD_TRY(dump_routes(socket, route.destination.address().af(), &route, *index, existing));
    const bool same = std::any_of(existing.begin(), existing.end(), [&](const KernelRoute& other) {
        return other.destination == route.destination.network() && other.table == route.table &&
               other.type == route.type && other.link_index == *index && other.protocol == route.protocol &&
               other.metric == route.effective_metric();
    });
    if (same) return {};
    Error error = std::move(added).error();
    error.code = ErrorCode::kConflict;
    return fail(std::move(error));
}

Result<void> remove_route(NetlinkSocket& socket, const plan::Route& route) {
    Result<std::uint32_t> index = 0;
    if (!is_throw(route)) index = link_index(socket, route.link);
    if (!index) {
        if (index.error().code == ErrorCode::kNotFound) return {};
        return fail(std::move(index).error());
    }
    auto message = route_message(RTM_DELROUTE, 0, route, *index);
    auto removed = socket.request(message, "cannot remove route " + route_text(route));
    if (!removed && (removed.error().sys_errno == ESRCH || removed.error().sys_errno == ENODEV ||
                     removed.error().code == ErrorCode::kUnsupported))
        return {};
    return removed;
}

} // namespace wgd::sys
