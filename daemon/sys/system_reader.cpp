// SPDX-License-Identifier: MIT
#include "daemon/sys/system_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/rtnetlink.h>

#include "daemon/plan/firewall.hpp"
#include "daemon/sys/foreign_firewall.hpp"
#include "daemon/sys/rtnl_address.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "daemon/sys/rtnl_route.hpp"
#include "daemon/sys/rtnl_rule.hpp"
#include "daemon/sys/sysctl.hpp"
#include "daemon/sys/table_names.hpp"

namespace wgd::sys {
namespace {

using LinkNames = std::map<std::uint32_t, std::string>;

// wg-quick(8) looks at the IPv4 default route; a host without one is served by the IPv6 one.
const KernelRoute* best_default(const std::vector<KernelRoute>& routes, Family family,
                                std::uint32_t except_index) {
    const KernelRoute* best = nullptr;
    for (const KernelRoute& route : routes) {
        if (!route.destination.is_default() || route.destination.family() != family ||
            route.type != plan::RouteType::kUnicast || route.table != RT_TABLE_MAIN ||
            route.link_index == except_index)
            continue;
        if (best == nullptr || route.metric < best->metric) best = &route;
    }
    return best;
}

} // namespace

std::optional<plan::Backend> backend_of(const plan::Link& link, const UapiClient& userspace) {
    if (link.kind == "wireguard") return plan::Backend::kKernel;
    if (link.kind == "tun" && userspace.serves(link.name)) return plan::Backend::kUserspace;
    return std::nullopt;
}

Result<void> LinuxReader::look_into(const std::string& netns,
                                    const std::function<Result<void>(NetSockets&)>& work) {
    return with_sockets(namespaces_, netns, {netlink_, kernel_, nftables_}, work);
}

Result<plan::Snapshot> LinuxReader::read(const ports::SnapshotScope& scope) {
    plan::Snapshot snapshot;
    const auto look = [&](NetSockets& sockets) -> Result<void> {
        WGD_TRY(read_routing(sockets, scope, snapshot));
        return read_rest(sockets, scope, snapshot);
    };
    if (scope.netns.empty()) {
        WGD_TRY(look_into("", look));
    } else {
        // Datagrams to the endpoints go out here, whatever is inside.
        plan::Snapshot outside;
        WGD_TRY(look_into("", [&](NetSockets& sockets) { return read_routing(sockets, scope, outside); }));
        snapshot.netns = namespaces_.state(scope.netns);
        auto dns = namespaces_.dns(scope.netns);
        WGD_TRY(dns);
        snapshot.netns_dns = std::move(*dns);
        if (snapshot.netns != plan::NamespaceState::kAbsent) {
            WGD_TRY(look_into(scope.netns, look));
            // A link that is up in there is somebody's use of it.
            const bool shared =
                std::any_of(snapshot.links.begin(), snapshot.links.end(), [&](const auto& entry) {
                    return entry.second.up && entry.first != "lo" && entry.first != scope.link;
                });
            if (shared && snapshot.netns == plan::NamespaceState::kOurs)
                snapshot.netns = plan::NamespaceState::kOursInUse;
        } else {
            snapshot.ipv6_available = ipv6_available(); // a new one is as this one
        }
        snapshot.endpoint_paths = std::move(outside.endpoint_paths);
        snapshot.default_path = std::move(outside.default_path);
    }
    snapshot.table_names = read_table_names();
    return snapshot;
}

Result<void> LinuxReader::read_routing(NetSockets& sockets, const ports::SnapshotScope& scope,
                                       plan::Snapshot& snapshot) {
    auto links = read_links(sockets.netlink);
    if (!links) return fail(std::move(links).error());
    LinkNames names;
    for (KernelLink& link : *links) {
        names.emplace(link.index, link.name);
        snapshot.links.emplace(link.name, std::move(link));
    }

    auto routes = read_routes(sockets.netlink);
    if (!routes) return fail(std::move(routes).error());
    snapshot.routes.reserve(routes->size());
    for (const KernelRoute& route : *routes) {
        if (route.type == plan::RouteType::kThrow) {
            snapshot.routes.push_back(
                {route.destination, "", route.table, route.protocol, route.metric, route.type});
            continue;
        }
        // A link that came after the list of links was read: its routes are as little part of the picture as
        // itself.
        const auto name = names.find(route.link_index);
        if (name == names.end()) continue;
        snapshot.routes.push_back(
            {route.destination, name->second, route.table, route.protocol, route.metric});
    }

    const auto own = snapshot.links.find(scope.link);
    const std::uint32_t own_index = own == snapshot.links.end() ? 0 : own->second.index;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const KernelRoute* route = best_default(*routes, family, own_index);
        if (route == nullptr) continue;
        const auto name = names.find(route->link_index);
        if (name == names.end()) continue;
        const std::uint32_t mtu = route->mtu != 0 ? route->mtu : snapshot.links.at(name->second).mtu;
        snapshot.default_path = plan::EndpointPath{route->destination.address(), name->second, mtu};
        break;
    }
    return read_paths(sockets, scope, snapshot);
}

Result<void> LinuxReader::read_rest(NetSockets& sockets, const ports::SnapshotScope& scope,
                                    plan::Snapshot& snapshot) {
    LinkNames names;
    for (const auto& [name, link] : snapshot.links)
        names.emplace(link.index, name);
    auto addresses = read_addresses(sockets.netlink);
    if (!addresses) return fail(std::move(addresses).error());
    for (const auto& [index, prefix] : *addresses)
        if (const auto name = names.find(index); name != names.end())
            snapshot.addresses[name->second].push_back(prefix);

    auto rules = read_rules(sockets.netlink);
    if (!rules) return fail(std::move(rules).error());
    snapshot.rules = std::move(*rules);

    WGD_TRY(read_device_of(sockets, scope, snapshot));
    read_marks(sockets, scope.link, snapshot);

    std::vector<std::string> keys = scope.sysctls;
    if (scope.forwarding) {
        std::vector<std::string> link_names;
        for (const auto& [name, link] : snapshot.links)
            link_names.push_back(name);
        for (std::string& key : plan::forwarding_keys(link_names))
            keys.push_back(std::move(key));
        snapshot.forward_barriers = forward_barriers(nftables_, scope.link);
    }
    for (const std::string& key : keys) {
        auto value = read_sysctl(key);
        if (value) snapshot.sysctls.emplace(key, std::move(*value));
        if (value && sysctl_read_only(key)) snapshot.sysctls_read_only.insert(key);
        if (value) continue;
        if (value.error().code != ErrorCode::kNotFound) return fail(std::move(value).error());
    }
    if (auto tables = sockets.nftables.tables(plan::tunnel_table_name(scope.link)))
        snapshot.tables = std::move(*tables);
    else
        snapshot.nftables_problem = tables.error().message;
    snapshot.ipv6_available = ipv6_available();
    if (scope.netns.empty()) snapshot.dns = dns_.view(scope.link);
    return {};
}

Result<void> LinuxReader::read_paths(NetSockets& sockets, const ports::SnapshotScope& scope,
                                     plan::Snapshot& into) {
    for (const IpAddress& endpoint : scope.endpoints) {
        auto route = look_up_route(sockets.netlink, endpoint, scope.mark);
        if (!route) return fail(std::move(route).error());
        if (!*route) continue;
        const auto link = std::find_if(into.links.begin(), into.links.end(), [&](const auto& entry) {
            return entry.second.index == (*route)->link_index;
        });
        if (link == into.links.end()) continue;
        const std::uint32_t mtu = (*route)->mtu != 0 ? (*route)->mtu : link->second.mtu;
        into.endpoint_paths.push_back({endpoint, link->first, mtu});
    }
    return {};
}

Result<void> LinuxReader::read_device_of(NetSockets& sockets, const ports::SnapshotScope& scope,
                                         plan::Snapshot& into) {
    const auto found = into.links.find(scope.link);
    if (found == into.links.end()) return {};
    into.device_backend = backend_of(found->second, userspace_);
    if (!into.device_backend || !scope.device) return {};
    auto device = read_wireguard(sockets, found->second);
    if (!device) return fail(std::move(device).error());
    into.device = std::move(*device);
    return {};
}

// What other WireGuard devices use. One that does not answer is somebody else's trouble: its rules and routes
// are in the snapshot, and they are what a mark collides with.
void LinuxReader::read_marks(NetSockets& sockets, const std::string& except, plan::Snapshot& into) {
    for (const auto& [name, link] : into.links) {
        if (name == except) continue;
        const auto backend = backend_of(link, userspace_);
        if (!backend) continue;
        const auto device =
            *backend == plan::Backend::kKernel ? sockets.kernel.get(name) : userspace_.get(name);
        if (device && device->fwmark != 0) into.marks_in_use.insert(device->fwmark);
        if (device && device->listen_port != 0) into.listen_ports.insert(device->listen_port);
    }
}

Result<WgDevice> LinuxReader::read_wireguard(NetSockets& sockets, const plan::Link& link) {
    const auto backend = backend_of(link, userspace_);
    if (!backend) return fail(ErrorCode::kUnsupported, link.name + " is not a WireGuard link");
    return *backend == plan::Backend::kKernel ? sockets.kernel.get(link.name) : userspace_.get(link.name);
}

Result<WgDevice> LinuxReader::read_device(const std::string& link, const std::string& netns) {
    WgDevice device;
    const auto looked = look_into(netns, [&](NetSockets& sockets) -> Result<void> {
        auto found = find_link(sockets.netlink, link);
        WGD_TRY(found);
        if (!*found) return fail(Error{ErrorCode::kNotFound, "there is no link named " + link, ENODEV});
        auto read = read_wireguard(sockets, **found);
        WGD_TRY(read);
        device = std::move(*read);
        return {};
    });
    WGD_TRY(looked);
    return device;
}

Result<ports::LinkReading> LinuxReader::read_link(const std::string& link, const std::string& netns) {
    ports::LinkReading reading;
    const auto looked = look_into(netns, [&](NetSockets& sockets) -> Result<void> {
        auto found = find_link(sockets.netlink, link);
        WGD_TRY(found);
        if (!*found) return fail(Error{ErrorCode::kNotFound, "there is no link named " + link, ENODEV});
        auto device = read_wireguard(sockets, **found);
        WGD_TRY(device);
        auto addresses = read_addresses(sockets.netlink);
        WGD_TRY(addresses);
        for (const auto& [index, prefix] : *addresses)
            if (index == (*found)->index) reading.addresses.push_back(prefix);
        reading.link = std::move(**found);
        reading.device = std::move(*device);
        return {};
    });
    WGD_TRY(looked);
    if (netns.empty()) reading.dns_problem = dns_.view(link).problem;
    return reading;
}

} // namespace wgd::sys
