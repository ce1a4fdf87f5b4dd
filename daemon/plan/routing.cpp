// SPDX-License-Identifier: MIT
#include "daemon/plan/routing.hpp"

#include <algorithm>

#include "common/model/marks.hpp"

namespace wgd::plan {
namespace {

// The kernel's own tables (ip-route(8)), whatever rt_tables says.
constexpr std::pair<std::string_view, std::uint32_t> kKernelTables[] = {
    {"default", 253}, {"main", 254}, {"local", 255}};

// The route the kernel adds with an address. IPv4 adds none for a /32, IPv6 adds one for a /128.
bool has_connected_route(const IpPrefix& address) {
    return address.family() == Family::kIpv6 || !address.is_host();
}

bool covered_by_address(const IpPrefix& prefix, const std::vector<IpPrefix>& addresses) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const IpPrefix& address) {
        return has_connected_route(address) && address.network().contains(prefix);
    });
}

Rule not_marked_rule(Family family, std::uint32_t mark) {
    Rule rule;
    rule.family = family;
    rule.invert = true;
    rule.fwmark = mark;
    rule.table = mark;
    rule.protocol = kRuleProtocol;
    return rule;
}

// More specific routes of the main table win over the tunnel; its default routes do not.
Rule suppress_rule(Family family) {
    Rule rule;
    rule.family = family;
    rule.table = kMainTable;
    rule.suppress_prefixlength = 0;
    rule.protocol = kRuleProtocol;
    return rule;
}

// The pair of rules of a full tunnel, the suppress rule first in the kernel's order. The priorities are the
// ones the kernel would pick (one below the lowest that is not zero), but chosen here: two full tunnels have
// the same suppress rule, and only its priority says whose it is.
Result<std::pair<Rule, Rule>> full_tunnel_rules(Family family, std::uint32_t mark,
                                                const std::vector<Rule>& owned,
                                                const std::vector<Rule>& recorded, const Snapshot& snapshot) {
    Rule marked = not_marked_rule(family, mark);
    Rule suppress = suppress_rule(family);
    // Where it is, or where it was: a rule that somebody took away comes back to its place beside the other.
    for (const std::vector<Rule>* known : {&recorded, &owned})
        for (const Rule& rule : *known)
            if (rule.same_effect(marked)) marked.priority = rule.priority;
    if (!marked.priority) {
        std::uint32_t lowest = 32766; // the main table's rule
        for (const Rule& rule : snapshot.rules)
            if (rule.family == family && rule.priority.value_or(0) != 0)
                lowest = std::min(lowest, *rule.priority);
        if (lowest < 3)
            return fail(ErrorCode::kConflict, "a routing rule of priority " + std::to_string(lowest) +
                                                  " leaves no room for the tunnel's rules before it");
        marked.priority = lowest - 1;
    }
    suppress.priority = *marked.priority - 1;
    return std::pair{marked, suppress};
}

} // namespace

Result<std::optional<std::uint32_t>> resolve_table(const TableSpec& spec, const Snapshot& snapshot) {
    if (const auto* number = std::get_if<TableNumber>(&spec)) return std::optional(number->id);
    if (const auto* named = std::get_if<TableName>(&spec)) {
        for (const auto& [name, id] : kKernelTables)
            if (name == named->name) return std::optional(id);
        if (const auto found = snapshot.table_names.find(named->name); found != snapshot.table_names.end())
            return std::optional(found->second);
        return fail(ErrorCode::kParse, "there is no routing table named '" + named->name +
                                           "' (Table =; see /etc/iproute2/rt_tables)");
    }
    return std::optional<std::uint32_t>();
}

Result<Routing> derive_routing(const std::string& link, const TableSpec& spec, std::vector<IpPrefix> prefixes,
                               const std::vector<IpPrefix>& addresses,
                               std::optional<std::uint32_t> given_mark, const Policy& policy,
                               const Snapshot& snapshot) {
    Routing routing;
    if (std::holds_alternative<TableOff>(spec)) return routing;
    const auto table = resolve_table(spec, snapshot);
    WGD_TRY(table);

    std::sort(prefixes.begin(), prefixes.end(), [](const IpPrefix& a, const IpPrefix& b) {
        return a.length() != b.length() ? a.length() > b.length() : a.address() < b.address();
    });
    const auto add = [&](const IpPrefix& prefix, std::uint32_t into) {
        routing.routes.push_back({prefix, link, into, kRouteProtocol, 0});
    };
    if (*table) {
        for (const IpPrefix& prefix : prefixes)
            add(prefix, **table);
        return routing;
    }

    // A namespace of its own holds nothing else: its main table's default route is the tunnel, with no rules.
    const bool alone = !policy.netns.empty();
    const bool full = !alone && std::any_of(prefixes.begin(), prefixes.end(),
                                            [](const IpPrefix& p) { return p.is_default(); });
    if (full) {
        if (given_mark.value_or(0) != 0) {
            routing.mark = given_mark;
        } else if (policy.owned_mark) {
            routing.mark = policy.owned_mark;
        } else {
            const auto mark = allocate_mark(snapshot);
            WGD_TRY(mark);
            routing.mark = *mark;
        }
    }
    const std::vector<Rule> owned = rules_of_tunnel(snapshot, routing.mark, policy.owned_rules);
    for (const IpPrefix& prefix : prefixes) {
        if (!prefix.is_default() || alone) {
            if (!covered_by_address(prefix, addresses)) add(prefix, kMainTable);
            continue;
        }
        add(prefix, *routing.mark);
        auto rules = full_tunnel_rules(prefix.family(), *routing.mark, owned, policy.owned_rules, snapshot);
        WGD_TRY(rules);
        // The suppress rule before the one that takes everything else: no moment in which the LAN is cut off.
        routing.rules.push_back(rules->second);
        routing.rules.push_back(rules->first);
    }
    return routing;
}

std::vector<Rule> rules_of_tunnel(const Snapshot& snapshot, std::optional<std::uint32_t> mark,
                                  const std::vector<Rule>& recorded) {
    const auto is_ours = [](const Rule& rule) { return rule.protocol == kRuleProtocol; };
    const auto is_marked = [&](const Rule& rule) {
        return mark && is_ours(rule) && rule.same_effect(not_marked_rule(rule.family, *mark));
    };
    std::vector<Rule> found;
    for (const Rule& rule : snapshot.rules) {
        if (!is_ours(rule)) continue;
        bool belongs = is_marked(rule) || std::find(recorded.begin(), recorded.end(), rule) != recorded.end();
        if (!belongs && rule.priority && rule.same_effect(suppress_rule(rule.family)))
            belongs = std::any_of(snapshot.rules.begin(), snapshot.rules.end(), [&](const Rule& other) {
                return other.family == rule.family && is_marked(other) && other.priority &&
                       *other.priority == *rule.priority + 1;
            });
        if (belongs) found.push_back(rule);
    }
    return found;
}

std::optional<std::uint32_t> mark_of_device(const Snapshot& snapshot) {
    if (!snapshot.device || snapshot.device->fwmark == 0) return std::nullopt;
    const std::uint32_t mark = snapshot.device->fwmark;
    if (rules_of_tunnel(snapshot, mark, {}).empty()) return std::nullopt;
    return mark;
}

} // namespace wgd::plan
