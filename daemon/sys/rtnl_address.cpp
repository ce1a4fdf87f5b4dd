// SPDX-License-Identifier: MIT
#include "daemon/sys/rtnl_address.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "daemon/sys/rtnl_link.hpp"

namespace wgd::sys {
namespace {

NetlinkMessage address_message(int type, int flags, std::uint32_t index, const IpPrefix& address) {
    ifaddrmsg info{};
    info.ifa_family = static_cast<std::uint8_t>(address.address().af());
    info.ifa_prefixlen = static_cast<std::uint8_t>(address.length());
    info.ifa_scope = address.address().is_loopback() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE; // as ip-address(8)
    info.ifa_index = index;
    NetlinkMessage message(type, flags, info);
    message.put_address(IFA_LOCAL, address.address());
    message.put_address(IFA_ADDRESS,
                        address.address()); // the peer's address on a point-to-point link, else the same
    return message;
}

} // namespace

Result<std::vector<std::pair<std::uint32_t, IpPrefix>>> read_addresses(NetlinkSocket& socket) {
    std::vector<std::pair<std::uint32_t, IpPrefix>> addresses;
    NetlinkMessage message(RTM_GETADDR, 0, ifaddrmsg{});
    WGD_TRY(socket.dump(message, "cannot read the addresses", [&](const nlmsghdr* answer) {
        const auto* info = fixed_header<ifaddrmsg>(answer);
        if (info == nullptr) return;
        const auto attributes = NetlinkAttributes::of(answer, sizeof *info);
        auto address = attributes.address(IFA_LOCAL); // absent for IPv6 without a peer address
        if (!address) address = attributes.address(IFA_ADDRESS);
        if (!address) return;
        if (auto prefix = IpPrefix::make(*address, info->ifa_prefixlen))
            addresses.emplace_back(info->ifa_index, *prefix);
    }));
    return addresses;
}

Result<void> add_address(NetlinkSocket& socket, const std::string& link, const IpPrefix& address) {
    auto index = link_index(socket, link);
    if (!index) return fail(std::move(index).error());
    auto message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, *index, address);
    if (address.family() == Family::kIpv6) message.put_u32(IFA_FLAGS, IFA_F_NODAD);
    auto added = socket.request(message, "cannot add address " + address.to_string() + " to " + link);
    if (added || added.error().sys_errno != EEXIST) return added;
    // EEXIST also stands for the same IPv6 address with another prefix length.
    auto existing = read_addresses(socket);
    if (!existing) return fail(std::move(existing).error());
    const bool same =
        std::find(existing->begin(), existing->end(), std::pair(*index, address)) != existing->end();
    if (same) return {};
    Error error = std::move(added).error();
    error.code = ErrorCode::kConflict;
    return fail(std::move(error));
}

Result<void> remove_address(NetlinkSocket& socket, const std::string& link, const IpPrefix& address) {
    auto index = link_index(socket, link);
    if (!index) {
        if (index.error().code == ErrorCode::kNotFound) return {};
        return fail(std::move(index).error());
    }
    auto message = address_message(RTM_DELADDR, 0, *index, address);
    auto removed = socket.request(message, "cannot remove address " + address.to_string() + " from " + link);
    if (!removed && (removed.error().sys_errno == EADDRNOTAVAIL || removed.error().sys_errno == ENODEV))
        return {};
    return removed;
}

} // namespace wgd::sys
