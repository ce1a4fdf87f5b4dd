// SPDX-License-Identifier: MIT
// Routes and policy rules of a tunnel from its allowed IPs (wg-quick(8) "Table"; compat.md C5 step 9, C6).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/profile.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::plan {

// Which routing table `Table =` means; nullopt for auto and for off.
Result<std::optional<std::uint32_t>> resolve_table(const TableSpec& spec, const Snapshot& snapshot);

struct Routing {
    std::vector<Route> routes;         // longest prefix first, then by address
    std::vector<Rule> rules;           // with priorities
    std::optional<std::uint32_t> mark; // fwmark and table of a full tunnel
};

// `prefixes`: all allowed IPs of all peers, each once. `addresses`: what the link will have; a prefix that
// the kernel's own route for an address covers gets no route of ours. `given_mark`: FwMark of the profile.
// Only a /0 makes a full tunnel: 0.0.0.0/1 with 128.0.0.0/1 is how people opt out of it.
Result<Routing> derive_routing(const std::string& link, const TableSpec& table,
                               std::vector<IpPrefix> prefixes, const std::vector<IpPrefix>& addresses,
                               std::optional<std::uint32_t> given_mark, const Policy& policy,
                               const Snapshot& snapshot);

// The rules of the snapshot that belong to a tunnel: they bear our protocol, and either its record lists
// them, or they point at its mark, or they are the suppress rule right before such a rule. Another tunnel's
// are never among them (D3).
std::vector<Rule> rules_of_tunnel(const Snapshot& snapshot, std::optional<std::uint32_t> mark,
                                  const std::vector<Rule>& recorded);

// The mark of a tunnel whose record was lost: its device's, if rules of ours point at it.
std::optional<std::uint32_t> mark_of_device(const Snapshot& snapshot);

} // namespace wgd::plan
