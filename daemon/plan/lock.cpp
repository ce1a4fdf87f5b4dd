// SPDX-License-Identifier: MIT
#include "daemon/plan/lock.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <set>

#include "daemon/plan/exclusion.hpp"
#include "daemon/plan/firewall.hpp"

namespace wgd::plan {
namespace {

// The same list serves both directions: `peer` is the far end's address, `peer_port` its port.
struct Direction {
    bool outwards;
    std::string_view link, peer, peer_port;
};
constexpr Direction kLeaving{true, "oifname", "daddr", "dport"};
constexpr Direction kEntering{false, "iifname", "saddr", "sport"};

std::string_view family_name(Family family) {
    return family == Family::kIpv4 ? "ip" : "ip6";
}

// "192.0.2.1 . 51820" as elements of a concatenated set, each once.
std::string endpoints_of(const LockedTunnel& tunnel, Family family) {
    std::set<std::string> out;
    for (const auto& endpoint : tunnel.endpoints)
        if (endpoint.address.family() == family)
            out.insert(fmt::format("{} . {}", endpoint.address.to_string(), endpoint.port));
    return fmt::format("{}", fmt::join(out, ", "));
}

// "192.0.2.1", each once.
std::string hosts_of(const LockedTunnel& tunnel, Family family) {
    std::set<std::string> out;
    for (const auto& endpoint : tunnel.endpoints)
        if (endpoint.address.family() == family) out.insert(endpoint.address.to_string());
    return fmt::format("{}", fmt::join(out, ", "));
}

// nftables refuses a set in which one range lies in another.
std::string ranges_of(const std::vector<IpPrefix>& ranges, Family family) {
    std::set<std::string> out;
    for (const auto& range : ranges) {
        const bool inside = std::any_of(ranges.begin(), ranges.end(), [&](const IpPrefix& other) {
            return other.length() < range.length() && other.contains(range);
        });
        if (range.family() == family && !inside) out.insert(range.network().to_string());
    }
    return fmt::format("{}", fmt::join(out, ", "));
}

class Rules {
  public:
    void chain(std::string_view name, std::string_view hook) {
        add("    chain {} {{\n        type filter hook {} priority filter - 1; policy drop;\n", name, hook);
    }
    // The policy alone would leak. A transaction that replaces a table changes all rules at one instant, but
    // the policy of a new chain is set later, and the old chain is gone before that: nf_tables_commit()
    // unhooks it on its way through the transaction, and a new chain accepts until
    // nft_chain_commit_drop_policy(). With a last rule that drops there is nothing left to the policy.
    void end() { text_ += "        drop\n    }\n"; }
    template <class... Args>
    void rule(fmt::format_string<Args...> format, Args&&... args) {
        text_ += "        ";
        add(format, std::forward<Args>(args)...);
        text_ += '\n';
    }
    std::string take() { return std::move(text_); }

  private:
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    }
    std::string text_;
};

// Echo requests that measure the path: nobody's but wgd's bear the mark.
void probe_rules(Rules& rules, const LockedTunnel& tunnel, const Direction& direction) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const auto hosts = hosts_of(tunnel, family);
        if (hosts.empty()) continue;
        const auto icmp = family == Family::kIpv4 ? "icmp" : "icmpv6";
        if (direction.outwards)
            rules.rule("meta mark {:#x} {} {} {{ {} }} {} type echo-request accept", tunnel.fwmark,
                       family_name(family), direction.peer, hosts, icmp);
        else
            rules.rule("{} {} {{ {} }} {} type echo-reply ct state established accept", family_name(family),
                       direction.peer, hosts, icmp);
    }
}

// Outwards the mark is what counts, which only a program with CAP_NET_ADMIN can put on a packet: no other may
// reach the endpoint's address and tell it who we are, or talk to a server that a liar put there (TunnelCrack
// ServerIP). Inwards the socket decides.
void tunnel_rules(Rules& rules, const LockedTunnel& tunnel, const Direction& direction) {
    rules.rule("{} \"{}\" accept", direction.link, tunnel.link);
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        const auto name = family_name(family);
        if (const auto endpoints = endpoints_of(tunnel, family); !endpoints.empty())
            rules.rule("{}{} {} . udp {} {{ {} }} accept",
                       direction.outwards ? fmt::format("meta mark {:#x} ", tunnel.fwmark) : "", name,
                       direction.peer, direction.peer_port, endpoints);
    }
    if (tunnel.probes) probe_rules(rules, tunnel, direction);
    if (!tunnel.asks_names) return;
    if (direction.outwards)
        rules.rule("meta mark {:#x} meta l4proto {{ tcp, udp }} th dport 53 ct mark set {:#x} accept",
                   tunnel.fwmark, tunnel.fwmark);
    else
        rules.rule("ct mark {:#x} ct state established meta l4proto {{ tcp, udp }} th sport 53 accept",
                   tunnel.fwmark);
}

// What may be reached in clear: what a tunnel excludes; and of the local network private addresses and
// nothing else: a public prefix that a rogue router puts on-link (TunnelCrack LocalNet) is not among them.
// After the rules of all tunnels: what is outside for one of them may be inside another.
void outside_rules(Rules& rules, const LockTable& table, const Direction& direction) {
    std::vector<IpPrefix> ranges;
    for (const LockedTunnel& tunnel : table.tunnels)
        ranges.insert(ranges.end(), tunnel.excluded.begin(), tunnel.excluded.end());
    if (table.allow_lan) ranges.insert(ranges.end(), lan_ranges().begin(), lan_ranges().end());
    if (ranges.empty()) return;
    // Names are asked inside the tunnel only, in clear or not. Its own servers stay inside although an
    // excluded range holds them (derive_exclusions).
    if (direction.outwards) rules.rule("meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} drop");
    for (const Family family : {Family::kIpv4, Family::kIpv6})
        if (const auto list = ranges_of(ranges, family); !list.empty())
            rules.rule("{} {} {{ {} }} accept", family_name(family), direction.peer, list);
}

// Priority just before `filter`: another table may still forbid more, none can allow what is dropped here.
std::string body_of(const LockTable& table) {
    Rules rules;
    rules.chain("leaving", "output");
    rules.rule("oifname \"lo\" accept");
    for (const LockedTunnel& tunnel : table.tunnels)
        tunnel_rules(rules, tunnel, kLeaving);
    // DHCPv4 and DHCPv6 (RFC 2131, 8415), router and neighbour discovery (RFC 4861).
    rules.rule("udp sport 68 udp dport 67 ip daddr 255.255.255.255 accept");
    rules.rule("ip6 saddr fe80::/10 ip6 daddr {{ ff02::1:2, ff05::1:3 }} udp sport 546 udp dport 547 accept");
    rules.rule("icmpv6 type nd-router-solicit ip6 daddr ff02::2 ip6 hoplimit 255 accept");
    rules.rule("icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept");
    outside_rules(rules, table, kLeaving);
    rules.end();

    rules.chain("entering", "input");
    rules.rule("iifname \"lo\" accept");
    for (const LockedTunnel& tunnel : table.tunnels)
        tunnel_rules(rules, tunnel, kEntering);
    // That an encrypted packet was too large for a link on its way.
    rules.rule("icmp type destination-unreachable icmp code frag-needed ct state related accept");
    rules.rule("icmpv6 type packet-too-big ct state related accept");
    rules.rule("udp sport 67 udp dport 68 accept");
    rules.rule("ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept");
    // No redirects: whoever can send one on this link could only lead us astray.
    rules.rule("icmpv6 type nd-router-advert ip6 saddr fe80::/10 ip6 hoplimit 255 accept");
    rules.rule("icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept");
    outside_rules(rules, table, kEntering);
    rules.end();

    rules.chain("passing", "forward");
    for (const LockedTunnel& tunnel : table.tunnels) {
        rules.rule("oifname \"{}\" accept", tunnel.link);
        rules.rule("iifname \"{}\" accept", tunnel.link);
    }
    rules.end();
    return rules.take();
}

} // namespace

std::string_view to_string(LockMode mode) {
    switch (mode) {
    case LockMode::kOff:
        return "off";
    case LockMode::kOn:
        return "on";
    case LockMode::kLan:
        return "lan";
    }
    return "off";
}

ReplaceTable render(const LockTable& table) {
    return replace_table(std::string(kLockTable), body_of(table));
}

} // namespace wgd::plan
