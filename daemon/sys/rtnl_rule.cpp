// SPDX-License-Identifier: MIT
#include "daemon/sys/rtnl_rule.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace wgd::sys {
namespace {

constexpr std::uint32_t kNoSuppression = 0xffffffff; // what the kernel reports for "not set" (-1)

NetlinkMessage rule_message(int type, int flags, const plan::Rule& rule) {
    fib_rule_hdr header{};
    header.family = rule.family == Family::kIpv4 ? AF_INET : AF_INET6;
    header.action = FR_ACT_TO_TBL;
    header.flags = rule.invert ? FIB_RULE_INVERT : 0;
    header.table =
        rule.table < 256 ? static_cast<std::uint8_t>(rule.table) : static_cast<std::uint8_t>(RT_TABLE_UNSPEC);
    NetlinkMessage message(type, flags, header);
    message.put_u32(FRA_TABLE, rule.table);
    message.put_u8(FRA_PROTOCOL, rule.protocol);
    if (rule.priority) message.put_u32(FRA_PRIORITY, *rule.priority);
    if (rule.fwmark) {
        message.put_u32(FRA_FWMARK, *rule.fwmark);
        message.put_u32(FRA_FWMASK, 0xffffffff);
    }
    if (rule.suppress_prefixlength) message.put_u32(FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefixlength);
    return message;
}

// Whether plan::Rule can say everything that the kernel's rule says.
bool says_all(const fib_rule_hdr& header, const NetlinkAttributes& attributes) {
    if (header.action != FR_ACT_TO_TBL || header.tos != 0 || header.src_len != 0 || header.dst_len != 0)
        return false;
    if (attributes.u32(FRA_FWMASK).value_or(0xffffffff) != 0xffffffff) return false;
    for (const int selector : {FRA_IIFNAME, FRA_OIFNAME, FRA_TUN_ID, FRA_SUPPRESS_IFGROUP, FRA_L3MDEV,
                               FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_FLOW})
        if (attributes.has(selector)) return false;
    return true;
}

std::optional<plan::Rule> parse_rule(const nlmsghdr* message) {
    const auto* header = fixed_header<fib_rule_hdr>(message);
    if (header == nullptr || (header->family != AF_INET && header->family != AF_INET6)) return std::nullopt;
    const auto attributes = NetlinkAttributes::of(message, sizeof *header);
    plan::Rule rule;
    rule.family = header->family == AF_INET ? Family::kIpv4 : Family::kIpv6;
    rule.priority = attributes.u32(FRA_PRIORITY).value_or(0); // left out by the kernel when it is 0
    rule.fwmark = attributes.u32(FRA_FWMARK);
    rule.invert = (header->flags & FIB_RULE_INVERT) != 0;
    rule.table = attributes.u32(FRA_TABLE).value_or(header->table);
    if (auto length = attributes.u32(FRA_SUPPRESS_PREFIXLEN); length && *length != kNoSuppression)
        rule.suppress_prefixlength = length;
    if (says_all(*header, attributes)) rule.protocol = attributes.u8(FRA_PROTOCOL).value_or(0);
    return rule;
}

} // namespace

std::string rule_text(const plan::Rule& rule) {
    std::string text = rule.family == Family::kIpv4 ? "IPv4" : "IPv6";
    if (rule.priority) text += fmt::format(" priority {}", *rule.priority);
    if (rule.invert) text += " not";
    if (rule.fwmark) text += fmt::format(" fwmark {:#x}", *rule.fwmark);
    text += fmt::format(" lookup {}", rule.table);
    if (rule.suppress_prefixlength)
        text += fmt::format(" suppress_prefixlength {}", *rule.suppress_prefixlength);
    return text;
}

Result<std::vector<plan::Rule>> read_rules(NetlinkSocket& socket) {
    std::vector<plan::Rule> rules;
    for (const int family : {AF_INET, AF_INET6}) {
        fib_rule_hdr header{};
        header.family = static_cast<std::uint8_t>(family);
        NetlinkMessage message(RTM_GETRULE, 0, header);
        auto done = socket.dump(message, "cannot read the policy rules", [&](const nlmsghdr* answer) {
            if (auto rule = parse_rule(answer)) rules.push_back(*rule);
        });
        // A kernel without IPv6 has no IPv6 rules.
        if (!done && !(family == AF_INET6 && done.error().code == ErrorCode::kUnsupported))
            return fail(std::move(done).error());
    }
    return rules;
}

Result<void> add_rule(NetlinkSocket& socket, const plan::Rule& rule) {
    if (rule.priority) {
        auto existing = read_rules(socket);
        if (!existing) return fail(std::move(existing).error());
        if (std::find(existing->begin(), existing->end(), rule) != existing->end()) return {};
    }
    auto message = rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
    auto added = socket.request(message, "cannot add rule " + rule_text(rule));
    if (!added && added.error().sys_errno == EEXIST) {
        Error error = std::move(added).error();
        error.code = ErrorCode::kConflict; // the same selector and action, but not ours
        return fail(std::move(error));
    }
    return added;
}

Result<void> remove_rule(NetlinkSocket& socket, const plan::Rule& rule) {
    // The kernel's own matching is looser than ours (it does not compare "not"), so the rule is found first
    // and then named by its priority.
    auto existing = read_rules(socket);
    if (!existing) return fail(std::move(existing).error());
    const auto found = std::find_if(existing->begin(), existing->end(), [&](plan::Rule other) {
        if (!rule.priority) other.priority = std::nullopt;
        return other == rule;
    });
    if (found == existing->end()) return {};
    auto message = rule_message(RTM_DELRULE, 0, *found);
    auto removed = socket.request(message, "cannot remove rule " + rule_text(*found));
    if (!removed && removed.error().sys_errno == ENOENT) return {};
    return removed;
}

} // namespace wgd::sys
