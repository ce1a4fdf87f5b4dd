// SPDX-License-Identifier: MIT
#include "daemon/sys/rtnl_link.hpp"

#include <cerrno>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "common/model/marks.hpp"

namespace wgd::sys {
namespace {

// The changes name the link by IFLA_IFNAME with index 0: no look-up, and no index that may be somebody else's
// by now.
NetlinkMessage change_message(int type, int flags, const std::string& name, unsigned change = 0,
                              unsigned value = 0) {
    ifinfomsg info{};
    info.ifi_family = AF_UNSPEC;
    info.ifi_change = change;
    info.ifi_flags = value;
    NetlinkMessage message(type, flags, info);
    message.put_text(IFLA_IFNAME, name);
    return message;
}

} // namespace

bool KernelLink::is_ours() const {
    return alias.rfind(kLinkAliasPrefix, 0) == 0 || (alias.empty() && group == kUnfinishedLinkGroup);
}

std::optional<KernelLink> parse_link(const nlmsghdr* message) {
    const auto* info = fixed_header<ifinfomsg>(message);
    if (info == nullptr || info->ifi_family != AF_UNSPEC) return std::nullopt;
    const auto attributes = NetlinkAttributes::of(message, sizeof *info);
    KernelLink link;
    link.name = attributes.text(IFLA_IFNAME);
    link.index = static_cast<std::uint32_t>(info->ifi_index);
    link.kind = attributes.nested(IFLA_LINKINFO).text(IFLA_INFO_KIND);
    link.alias = attributes.text(IFLA_IFALIAS);
    link.mtu = attributes.u32(IFLA_MTU).value_or(0);
    link.group = attributes.u32(IFLA_GROUP).value_or(0);
    link.up = (info->ifi_flags & IFF_UP) != 0;
    if (link.name.empty()) return std::nullopt;
    return link;
}

Result<std::vector<KernelLink>> read_links(NetlinkSocket& socket) {
    std::vector<KernelLink> links;
    NetlinkMessage message(RTM_GETLINK, 0, ifinfomsg{});
    WGD_TRY(socket.dump(message, "cannot read the links", [&](const nlmsghdr* answer) {
        if (auto link = parse_link(answer)) links.push_back(std::move(*link));
    }));
    return links;
}

Result<std::optional<KernelLink>> find_link(NetlinkSocket& socket, const std::string& name) {
    std::optional<KernelLink> found;
    auto message = change_message(RTM_GETLINK, 0, name);
    auto done = socket.query(message, "cannot read link " + name,
                             [&](const nlmsghdr* answer) { found = parse_link(answer); });
    if (!done && done.error().sys_errno != ENODEV) return fail(std::move(done).error());
    return found;
}

Result<std::uint32_t> link_index(NetlinkSocket& socket, const std::string& name) {
    auto link = find_link(socket, name);
    if (!link) return fail(std::move(link).error());
    if (!*link) return fail(Error{ErrorCode::kNotFound, "there is no link named " + name, ENODEV});
    return (*link)->index;
}

Result<void> create_link(NetlinkSocket& socket, const std::string& name, const std::string& kind,
                         const std::string& alias) {
    // The kernel ignores IFLA_IFALIAS in the request that creates a link, but not IFLA_GROUP: killed between
    // the two requests, we leave a link behind that recovery knows to be ours.
    auto message = change_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    message.put_u32(IFLA_GROUP, kUnfinishedLinkGroup);
    message.begin_nest(IFLA_LINKINFO).put_text(IFLA_INFO_KIND, kind).end_nest();
    auto created = socket.request(message, "cannot create link " + name + " of kind " + kind);
    if (!created) {
        if (created.error().sys_errno != EEXIST) return created;
        auto existing = find_link(socket, name);
        if (!existing) return fail(std::move(existing).error());
        const bool same = *existing && (*existing)->kind == kind && (*existing)->is_ours() &&
                          ((*existing)->alias == alias || (*existing)->alias.empty());
        if (!same)
            return fail(Error{ErrorCode::kConflict,
                              "a link named " + name + " exists already and is not ours", EEXIST});
    }
    auto marked = set_link_alias(socket, name, alias);
    if (!marked) static_cast<void>(delete_link(socket, name));
    return marked;
}

Result<void> delete_link(NetlinkSocket& socket, const std::string& name) {
    auto message = change_message(RTM_DELLINK, 0, name);
    auto done = socket.request(message, "cannot delete link " + name);
    if (!done && done.error().sys_errno == ENODEV) return {};
    return done;
}

Result<void> set_link_alias(NetlinkSocket& socket, const std::string& name, const std::string& alias) {
    auto message = change_message(RTM_NEWLINK, 0, name);
    message.put_text(IFLA_IFALIAS, alias).put_u32(IFLA_GROUP, 0);
    return socket.request(message, "cannot set the alias of link " + name);
}

Result<void> set_link_mtu(NetlinkSocket& socket, const std::string& name, std::uint32_t mtu) {
    auto message = change_message(RTM_NEWLINK, 0, name);
    message.put_u32(IFLA_MTU, mtu);
    return socket.request(message, "cannot set the MTU of link " + name + " to " + std::to_string(mtu));
}

Result<void> set_link_up(NetlinkSocket& socket, const std::string& name, bool up) {
    auto message = change_message(RTM_NEWLINK, 0, name, IFF_UP, up ? unsigned{IFF_UP} : 0U);
    return socket.request(message, "cannot set link " + name + (up ? " up" : " down"));
}

Result<void> move_link(NetlinkSocket& socket, const std::string& name, int netns_fd,
                       const std::string& netns) {
    auto message = change_message(RTM_NEWLINK, 0, name);
    message.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
    return socket.request(message, "cannot move link " + name + " to the network namespace " + netns);
}

} // namespace wgd::sys
