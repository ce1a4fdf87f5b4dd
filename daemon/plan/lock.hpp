// SPDX-License-Identifier: MIT
// The kill switches of all tunnels together, as one nftables table of the host, "wgd-lock": what is not
// listed neither leaves, enters nor passes. States and rules: wgd-firewall(7). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::plan {

// kill_switch = false | true | "lan" in wgd.toml.
enum class LockMode : std::uint8_t { kOff, kOn, kLan };
std::string_view to_string(LockMode mode); // "off", "on", "lan"

// One tunnel's part: what may pass for its sake.
struct LockedTunnel {
    std::string link; // may not exist yet
    std::uint32_t fwmark = 0;
    std::vector<Endpoint> endpoints; // resolved; scope is not part of the rule
    bool asks_names = false;         // an endpoint is a name: wgd's own look-ups, which bear the mark, pass
    bool probes = false;             // marked echo requests to the endpoints pass, and their answers
    std::vector<IpPrefix> excluded;  // what the administrator keeps out of the tunnel

    bool operator==(const LockedTunnel&) const = default;
};

struct LockTable {
    std::vector<LockedTunnel> tunnels; // none: everything is blocked (lockdown)
    bool allow_lan = false;            // private ranges, never "whatever is on-link"

    bool operator==(const LockTable&) const = default;
};

inline constexpr std::string_view kLockTable = "wgd-lock";

ReplaceTable render(const LockTable& table);

} // namespace wgd::plan
