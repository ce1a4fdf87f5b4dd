// SPDX-License-Identifier: MIT
// The far end of a tunnel: a machine that passes packets on for its peers. What an administrator asks for
// (wgd.toml), the sysctls that it takes and what those move along, and what stands in the way. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace wgd::plan {

struct Snapshot;

// wgd.toml's forward, masquerade, mss_clamp and isolate_peers of one tunnel.
struct Gateway {
    bool forward = false;
    bool masquerade = false;
    std::string masquerade_out; // a checked interface name; empty: any but the tunnel
    bool mss_clamp = false;
    bool isolate_peers = false;

    // Whoever masquerades forwards.
    [[nodiscard]] bool forwards() const { return forward || masquerade; }
    bool operator==(const Gateway&) const = default;
};

// A rule of somebody else's firewall that drops what is forwarded unless told otherwise.
struct ForwardBarrier {
    enum class Owner : std::uint8_t { kOther, kDocker, kFirewalld, kUfw };
    Owner owner = Owner::kOther;
    std::string where; // "table ip filter, chain FORWARD (nftables)"

    bool operator==(const ForwardBarrier&) const = default;
};
// What is in the way, and the command that lets the tunnel's packets through. Two of them also close the port
// that peers connect to (`listen_port`, if the profile gives one).
std::string advice(const ForwardBarrier& barrier, const std::string& link,
                   std::optional<std::uint16_t> listen_port);

// The switches. Turning one changes other values along the way (inet_forward_change(), addrconf.c): the
// `forwarding` of every link; for IPv4 also all/accept_redirects, which becomes the opposite.
inline constexpr std::string_view kForwardIpv4 = "net/ipv4/ip_forward";
inline constexpr std::string_view kForwardIpv6 = "net/ipv6/conf/all/forwarding";
inline constexpr std::string_view kAcceptRedirects = "net/ipv4/conf/all/accept_redirects";

// Which switch moves `key` along; empty: none does.
std::string_view switch_that_moves(std::string_view key);
// The value that the switch leaves in `key` when it is set to `value`.
std::string_view value_after_switch(std::string_view key, std::string_view switch_value);
// The keys a snapshot has to have for forwarding on these links.
std::vector<std::string> forwarding_keys(const std::vector<std::string>& links);

struct Forwarding {
    std::map<std::string, std::string> sysctls; // to be set
    std::set<std::string> moved;                // to go back to what they are now, not to be set
    std::vector<std::string> warnings;
};
// A machine that forwards IPv6 takes router advertisements no more and drops the default route it had from
// one (ip-sysctl.rst, accept_ra): a link that lives on them is told to go on (accept_ra = 2).
Forwarding derive_forwarding(const Gateway& gateway, const std::string& link,
                             std::optional<std::uint16_t> listen_port, const Snapshot& snapshot);

// An order in which these can be written: accept_ra = 2 before the switch, the rest after it.
std::vector<std::pair<std::string, std::string>>
in_writing_order(const std::map<std::string, std::string>& sysctls);

} // namespace wgd::plan
