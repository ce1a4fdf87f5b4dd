// SPDX-License-Identifier: MIT
#include "datapath/io/link_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace wgd::io {

Result<LinkWatch> LinkWatch::open(unsigned index, std::string name) {
    Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!socket) return fail_errno(ErrorCode::kIo, errno, "cannot open a netlink socket");
    const int on = 1;
    // Without it (no CAP_NET_BROADCAST) an interface that moves away is taken to stay as it was.
    (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot watch the interfaces");
    LinkWatch watch(std::move(socket), index, std::move(name));
    watch.ask();
    return watch;
}

LinkWatch::LinkWatch(Fd socket, unsigned index, std::string name)
    : socket_(std::move(socket))
    , index_(index)
    , name_(std::move(name)) {}

void LinkWatch::ask() {
    struct {
        nlmsghdr header;
        ifinfomsg link;
    } request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.link.ifi_family = AF_UNSPEC;
    request.link.ifi_index = static_cast<int>(index_);
    (void)!::send(socket_.get(), &request, sizeof request, 0);
}

LinkChanges LinkWatch::read() {
    LinkChanges changes;
    alignas(nlmsghdr) std::array<std::uint8_t, 32768> buffer;
    for (;;) {
        iovec vector{buffer.data(), buffer.size()};
        alignas(cmsghdr) std::array<std::uint8_t, 64> control;
        msghdr header{};
        header.msg_iov = &vector;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(socket_.get(), &header, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            if (errno == ENOBUFS) { // messages were lost: find out again
                changes.routing = true;
                changes.perhaps_deleted = true;
                if (!nsid_ && !moving_) ask();
                continue;
            }
            return changes;
        }
        std::optional<int> nsid;
        for (cmsghdr* cmsg = CMSG_FIRSTHDR(&header); cmsg != nullptr; cmsg = CMSG_NXTHDR(&header, cmsg)) {
            if (cmsg->cmsg_level == SOL_NETLINK && cmsg->cmsg_type == NETLINK_LISTEN_ALL_NSID) {
                int id = 0;
                std::memcpy(&id, CMSG_DATA(cmsg), sizeof id);
                nsid = id;
            }
        }
        ByteView rest(buffer.data(), static_cast<std::size_t>(got));
        while (rest.size() >= sizeof(nlmsghdr)) {
            nlmsghdr message;
            std::memcpy(&message, rest.data(), sizeof message);
            if (message.nlmsg_len < sizeof message || message.nlmsg_len > rest.size()) break;
            take(rest.first(message.nlmsg_len), nsid, changes);
            rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(message.nlmsg_len), rest.size()));
        }
    }
}

void LinkWatch::take(ByteView message, std::optional<int> nsid, LinkChanges& changes) {
    nlmsghdr header;
    std::memcpy(&header, message.data(), sizeof header);
    switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link(header.nlmsg_type, message.subspan(NLMSG_HDRLEN), nsid, changes);
        return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        changes.routing = changes.routing || !nsid;
        return; // our sockets are here, not there
    default:
        return;
    }
}

void LinkWatch::take_link(std::uint16_t type, ByteView body, std::optional<int> nsid, LinkChanges& changes) {
    if (body.size() < sizeof(ifinfomsg)) return;
    ifinfomsg link;
    std::memcpy(&link, body.data(), sizeof link);

    std::string name;
    std::optional<unsigned> mtu, new_index;
    std::optional<int> new_nsid;
    ByteView attributes = body.subspan(NLMSG_ALIGN(sizeof link));
    while (attributes.size() >= sizeof(rtattr)) {
        rtattr attribute;
        std::memcpy(&attribute, attributes.data(), sizeof attribute);
        if (attribute.rta_len < sizeof attribute || attribute.rta_len > attributes.size()) break;
        const ByteView value = attributes.subspan(sizeof attribute, attribute.rta_len - sizeof attribute);
        std::uint32_t number = 0;
        if (value.size() >= sizeof number) std::memcpy(&number, value.data(), sizeof number);
        switch (attribute.rta_type) {
        case IFLA_IFNAME:
            name.assign(reinterpret_cast<const char*>(value.data()), value.empty() ? 0 : value.size() - 1);
            break;
        case IFLA_MTU:
            mtu = number;
            break;
        case IFLA_NEW_NETNSID:
            new_nsid = static_cast<int>(number);
            break;
        case IFLA_NEW_IFINDEX:
            new_index = number;
            break;
        default:
            break;
        }
        attributes =
            attributes.subspan(std::min<std::size_t>(RTA_ALIGN(attribute.rta_len), attributes.size()));
    }

    const auto index = static_cast<unsigned>(link.ifi_index);
    if (moving_) {
        if (type != RTM_NEWLINK || index != index_ || name != name_ || nsid == nsid_) return;
        moving_ = false;
        nsid_ = nsid;
    }
    if (index != index_ || nsid != nsid_) return;
    if (type == RTM_DELLINK) {
        if (new_nsid || new_index) {
            moving_ = true;
            index_ = new_index.value_or(index_);
            name_ = name;
        }
        changes.perhaps_deleted = true;
        return;
    }
    changes.up = (link.ifi_flags & IFF_UP) != 0;
    changes.mtu = mtu;
    name_ = name; // it may have been renamed
}

} // namespace wgd::io
