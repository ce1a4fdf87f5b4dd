// SPDX-License-Identifier: MIT
// Snapshot: what the system looked like at one moment, for one tunnel's scope. Complete for that scope, or
// the reader failed: a plan is never made on half a picture.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/ip.hpp"
#include "common/model/device.hpp"
#include "daemon/plan/forwarding.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::plan {

struct Link {
    std::string name;
    std::uint32_t index = 0;
    std::string kind;  // IFLA_INFO_KIND: "wireguard", "tun", "veth", "" for physical
    std::string alias; // IFLA_IFALIAS
    std::uint32_t mtu = 0;
    bool up = false; // IFF_UP
};

// Which link and MTU a datagram to an endpoint would use, looked up without our own rules (RTM_GETROUTE with
// the tunnel's mark).
struct EndpointPath {
    IpAddress destination;
    std::string link;
    std::uint32_t mtu = 0; // route's own MTU if it has one, else the link's
};

// One of our nftables tables as it is in the kernel.
struct TableState {
    std::string digest;      // of the rules we put there, from its comment; empty: somebody made it over
    std::size_t content = 0; // hash of its listing: differs from an earlier look's when anything was changed
    bool operator==(const TableState&) const = default;
};

enum class NamespaceState : std::uint8_t {
    kAbsent,
    kForeign, // somebody else made it
    kOurs,    // and nobody uses it but the tunnel of the scope
    kOursInUse,
};

// Everything but the paths is as it is in the scope's namespace.
struct Snapshot {
    NamespaceState netns = NamespaceState::kAbsent; // of the scope's namespace, if that is not the daemon's
    std::string netns_dns;                          // its resolv.conf; "" if there is none
    std::map<std::string, Link> links;              // all of them, by name
    std::map<std::string, std::vector<IpPrefix>> addresses; // all of them, by link (IPv6 link-local included)
    std::vector<Rule> rules;                                // all of them, both families
    std::vector<Route> routes;                              // unicast and throw, all tables, both families
    std::optional<WgDevice> device; // of the scope's link, if it exists, is WireGuard and was asked for
    std::optional<Backend> device_backend;
    std::vector<EndpointPath> endpoint_paths;         // for each resolved endpoint that has a route
    std::optional<EndpointPath> default_path;         // of the default route, for the MTU rule
    std::map<std::string, std::string> sysctls;       // the keys the planner asked for, those that exist
    std::set<std::string> sysctls_read_only;          // those of them that cannot be written here
    std::vector<ForwardBarrier> forward_barriers;     // of others; only when the scope forwards
    std::map<std::string, TableState> tables;         // our nftables tables, by name
    std::string nftables_problem;                     // why nftables cannot be used here; empty: it can
    std::set<std::uint32_t> marks_in_use;             // fwmarks of other devices and of our other tunnels
    std::set<std::uint16_t> listen_ports;             // of other WireGuard devices
    std::map<std::string, std::uint32_t> table_names; // rt_tables (ip-route(8)), for Table = NAME
    DnsView dns;
    bool ipv6_available = true; // not disabled (module, sysctl all/default)
};

} // namespace wgd::plan
