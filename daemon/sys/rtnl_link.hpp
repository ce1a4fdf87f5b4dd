// SPDX-License-Identifier: MIT
// Links over rtnetlink: what exists, and changes by name. Source: rtnetlink(7), <linux/if_link.h>.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "daemon/plan/snapshot.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

struct KernelLink : plan::Link {
    std::uint32_t group = 0; // IFLA_GROUP
    // Bears our mark: the alias, or, for a moment while create_link() runs, kUnfinishedLinkGroup.
    [[nodiscard]] bool is_ours() const;
};

Result<std::vector<KernelLink>> read_links(NetlinkSocket& socket);
// nullopt: there is no such link.
Result<std::optional<KernelLink>> find_link(NetlinkSocket& socket, const std::string& name);
// The index of a link that must exist; kNotFound.
Result<std::uint32_t> link_index(NetlinkSocket& socket, const std::string& name);

// Creates a link of a kind ("wireguard") and marks it with the alias. A link that is there already with this
// kind and alias is success, any other kConflict. At no moment is there a link of this name made by us and
// unmarked.
Result<void> create_link(NetlinkSocket& socket, const std::string& name, const std::string& kind,
                         const std::string& alias);
// Success when it is gone already.
Result<void> delete_link(NetlinkSocket& socket, const std::string& name);
// Ends the time of kUnfinishedLinkGroup, if there was one.
Result<void> set_link_alias(NetlinkSocket& socket, const std::string& name, const std::string& alias);
Result<void> set_link_mtu(NetlinkSocket& socket, const std::string& name, std::uint32_t mtu);
Result<void> set_link_up(NetlinkSocket& socket, const std::string& name, bool up);

// Into the namespace that `netns_fd` is open on.
Result<void> move_link(NetlinkSocket& socket, const std::string& name, int netns_fd,
                       const std::string& netns);

// From RTM_NEWLINK or RTM_DELLINK; nullopt for a message that is about no link (a bridge's port).
std::optional<KernelLink> parse_link(const nlmsghdr* message);

} // namespace wgd::sys
