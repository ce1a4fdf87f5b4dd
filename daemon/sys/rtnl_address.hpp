// SPDX-License-Identifier: MIT
// Interface addresses over rtnetlink. Source: rtnetlink(7), ip-address(8).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/result.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

// All addresses of all links, in the kernel's order: (link index, address with its prefix length).
Result<std::vector<std::pair<std::uint32_t, IpPrefix>>> read_addresses(NetlinkSocket& socket);

// What `ip address add ADDRESS dev LINK` does, except that an IPv6 address is usable at once (no duplicate
// address detection: a tunnel has no neighbours to ask). Success when the link has this very address already.
Result<void> add_address(NetlinkSocket& socket, const std::string& link, const IpPrefix& address);
// Success when the address or the link is gone already.
Result<void> remove_address(NetlinkSocket& socket, const std::string& link, const IpPrefix& address);

} // namespace wgd::sys
