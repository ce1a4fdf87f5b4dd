// SPDX-License-Identifier: MIT
#include "daemon/sys/foreign_firewall.hpp"

#include <cstring>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <set>
#include <sstream>
#include <sys/socket.h>

// After <netinet/in.h>, whose types they use.
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "common/base/fd.hpp"
#include "common/model/marks.hpp"

namespace wgd::sys {
namespace {

using plan::ForwardBarrier;

// ---- nftables

struct Table {
    std::string family, name;
    std::set<std::string> chains;
    std::vector<std::string> forward;  // base chains of the forward hook
    std::vector<std::string> dropping; // those of them with policy drop
};

std::vector<Table> parse_chains(std::string_view listing) {
    std::vector<Table> tables;
    std::string chain;
    std::istringstream lines{std::string(listing)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first, second, third;
        words >> first >> second >> third;
        if (first == "table") {
            tables.push_back({second, third, {}, {}, {}});
        } else if (first == "chain" && !tables.empty()) {
            chain = second;
            tables.back().chains.insert(chain);
        } else if (first == "type" && second == "filter" && !tables.empty() &&
                   line.find(" hook forward ") != std::string::npos) {
            tables.back().forward.push_back(chain);
            if (line.find("policy drop;") != std::string::npos) tables.back().dropping.push_back(chain);
        }
    }
    return tables;
}

bool is_ours(const Table& table) {
    return table.name.rfind(kNftTablePrefix, 0) == 0;
}

ForwardBarrier::Owner owner_of(const Table& table) {
    if (table.name == "firewalld") return ForwardBarrier::Owner::kFirewalld;
    if (table.chains.count("ufw-user-forward") != 0 || table.chains.count("ufw6-user-forward") != 0)
        return ForwardBarrier::Owner::kUfw;
    if (table.chains.count("DOCKER-USER") != 0) return ForwardBarrier::Owner::kDocker;
    return ForwardBarrier::Owner::kOther;
}

// ---- legacy iptables

struct Ipv4 {
    using Info = ipt_getinfo;
    using Entries = ipt_get_entries;
    using Entry = ipt_entry;
    static constexpr int kFamily = AF_INET, kLevel = IPPROTO_IP;
    static constexpr int kGetInfo = IPT_SO_GET_INFO, kGetEntries = IPT_SO_GET_ENTRIES;
    static constexpr const char* kTables = "/proc/net/ip_tables_names";
    static constexpr const char* kName = "iptables-legacy";
    static const auto& packet(const Entry& entry) { return entry.ip; }
};
struct Ipv6 {
    using Info = ip6t_getinfo;
    using Entries = ip6t_get_entries;
    using Entry = ip6t_entry;
    static constexpr int kFamily = AF_INET6, kLevel = IPPROTO_IPV6;
    static constexpr int kGetInfo = IP6T_SO_GET_INFO, kGetEntries = IP6T_SO_GET_ENTRIES;
    static constexpr const char* kTables = "/proc/net/ip6_tables_names";
    static constexpr const char* kName = "ip6tables-legacy";
    static const auto& packet(const Entry& entry) { return entry.ipv6; }
};

// Asking for a table that is not loaded would load it: only what is there already is looked at.
bool has_filter_table(const char* path) {
    std::ifstream names(path);
    for (std::string name; names >> name;)
        if (name == "filter") return true;
    return false;
}

template <class Entry>
Entry entry_at(const std::vector<char>& blob, std::size_t offset) {
    Entry entry{};
    if (offset + sizeof entry <= blob.size()) std::memcpy(&entry, blob.data() + offset, sizeof entry);
    return entry;
}

// The policy of a built-in chain is its last rule, whose verdict is a number below zero.
bool drops(const std::vector<char>& blob, std::size_t rule, std::size_t target) {
    xt_standard_target verdict{};
    const std::size_t at = rule + target;
    if (target == 0 || at + sizeof verdict > blob.size()) return false;
    std::memcpy(&verdict, blob.data() + at, sizeof verdict);
    return verdict.verdict == -NF_DROP - 1;
}

template <class Family>
std::vector<ForwardBarrier> legacy_barriers(const std::string& link) {
    if (!has_filter_table(Family::kTables)) return {};
    const Fd fd(::socket(Family::kFamily, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!fd) return {};
    typename Family::Info info{};
    std::strncpy(info.name, "filter", sizeof info.name - 1);
    socklen_t size = sizeof info;
    if (::getsockopt(fd.get(), Family::kLevel, Family::kGetInfo, &info, &size) != 0) return {};

    std::vector<char> answer(sizeof(typename Family::Entries) + info.size);
    typename Family::Entries head{};
    std::strncpy(head.name, "filter", sizeof head.name - 1);
    head.size = info.size;
    std::memcpy(answer.data(), &head, sizeof head);
    size = static_cast<socklen_t>(answer.size());
    if (::getsockopt(fd.get(), Family::kLevel, Family::kGetEntries, answer.data(), &size) != 0) return {};
    const std::vector<char> blob(answer.begin() + sizeof head, answer.end());

    const std::size_t policy = info.underflow[NF_INET_FORWARD];
    if (!drops(blob, policy, entry_at<typename Family::Entry>(blob, policy).target_offset)) return {};
    for (std::size_t at = 0; at < blob.size();) {
        const auto entry = entry_at<typename Family::Entry>(blob, at);
        if (entry.next_offset == 0) break;
        if (link == Family::packet(entry).iniface || link == Family::packet(entry).outiface) return {};
        at += entry.next_offset;
    }
    return {{ForwardBarrier::Owner::kOther, std::string("table filter, chain FORWARD of ") + Family::kName}};
}

} // namespace

std::vector<ForwardBarrier>
nftables_barriers(std::string_view chains, std::string_view link,
                  const std::function<std::string(const std::string&)>& table_of) {
    std::vector<ForwardBarrier> barriers;
    const std::string quoted = "\"" + std::string(link) + "\"";
    for (const Table& table : parse_chains(chains)) {
        if (is_ours(table)) continue;
        const ForwardBarrier::Owner owner = owner_of(table);
        // firewalld accepts by policy and rejects by its last rule.
        const auto& closed = owner == ForwardBarrier::Owner::kFirewalld ? table.forward : table.dropping;
        if (closed.empty()) continue;
        const std::string name = table.family + " " + table.name;
        if (table_of(name).find(quoted) != std::string::npos) continue;
        barriers.push_back({owner, "table " + name + ", chain " + closed.front()});
    }
    return barriers;
}

std::vector<ForwardBarrier> forward_barriers(Nftables& nftables, const std::string& link) {
    std::vector<ForwardBarrier> barriers;
    if (const auto chains = nftables.list("chains"))
        barriers = nftables_barriers(*chains, link, [&](const std::string& table) {
            return nftables.list("table " + table).value_or("");
        });
    for (auto& found : {legacy_barriers<Ipv4>(link), legacy_barriers<Ipv6>(link)})
        barriers.insert(barriers.end(), found.begin(), found.end());
    return barriers;
}

} // namespace wgd::sys
