// SPDX-License-Identifier: MIT
// The nftables tables a tunnel wants, as values, and their text for libnftables. Pure.
//
// Only typed values reach the text (addresses, numbers, a checked interface name): nothing that a profile's
// author or a bus caller wrote is ever parsed by nft, whose grammar has `include`.
//
// Table wgd-NAME, family inet, of one tunnel: anti-spoofing and connection marks of a full tunnel (as
// wg-quick(8), compat C6), masquerading, MSS clamp, peer isolation. The host's kill switch: plan/lock.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::plan {

// The table of one tunnel. Nothing set: no table is wanted.
struct TunnelTable {
    std::string link;                    // a checked interface name
    std::vector<IpAddress> local;        // addresses of the tunnel that nobody else may talk to (anti-spoof)
    std::optional<std::uint32_t> fwmark; // full tunnel: keep the mark of the outer connection
    bool probes = false;                 // ... and of the echo requests that measure the path
    bool masquerade = false;
    std::string masquerade_out; // only towards this link; empty: any but the tunnel
    bool isolate_peers = false;
    bool mss_clamp = false;
    std::set<std::uint16_t> listen_ports; // of this machine's tunnels: no masqueraded packet bears one

    [[nodiscard]] bool empty() const;
    bool operator==(const TunnelTable&) const = default;
};

// "wgd-" + link, with the characters that nft's identifiers lack escaped as "/hh".
std::string tunnel_table_name(const std::string& link);

// The whole transaction: whatever a table of this name held is replaced, or nothing is changed. The table's
// comment is "wgd " + digest of its rules, by which a later look knows what it is.
ReplaceTable render(const TunnelTable& table);
// The same for any table of ours: `rules` are its chains.
ReplaceTable replace_table(std::string name, std::string_view rules);
// For libnftables, as `transaction` above; succeeds if there is no such table.
std::string render_removal(const std::string& table_name);

} // namespace wgd::plan
