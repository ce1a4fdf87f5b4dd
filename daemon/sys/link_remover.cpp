// SPDX-License-Identifier: MIT
#include "daemon/sys/link_remover.hpp"

#include <array>
#include <cerrno>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>

#include "common/base/fd.hpp"
#include "daemon/sys/netlink_message.hpp"
#include "daemon/sys/netlink_socket.hpp"
#include "daemon/sys/rtnl_link.hpp"

namespace wgd::sys {
namespace {

Fd listen_to_links() {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
}

// News that were lost are no harm: the request's own answer comes later.
bool announces_end(int news, std::uint32_t index) {
    std::array<std::uint8_t, 32768> buffer;
    bool ended = false;
    receive_announcements(
        news, buffer, [] {},
        [&](const nlmsghdr* message, bool elsewhere) {
            if (elsewhere || message->nlmsg_type != RTM_DELLINK) return;
            if (const auto link = parse_link(message); link && link->index == index) ended = true;
        });
    return ended;
}

} // namespace

LinkRemover::~LinkRemover() {
    for (Removal& removal : removals_)
        removal.thread.join();
}

Result<void> LinkRemover::remove(const std::string& name) {
    for (auto removal = removals_.begin(); removal != removals_.end();) {
        if (!removal->ended) {
            ++removal;
            continue;
        }
        removal->thread.join();
        removal = removals_.erase(removal);
    }

    struct Request {
        NetlinkSocket socket;
        Fd answered;
        Result<void> result;
    };
    auto socket = NetlinkSocket::open();
    WGD_TRY(socket);
    const auto link = find_link(*socket, name);
    if (!link) return fail(link.error());
    if (!*link) return {};
    const Fd news = listen_to_links();
    const auto request =
        std::make_shared<Request>(Request{std::move(*socket), Fd(::eventfd(0, EFD_CLOEXEC)), Result<void>{}});
    if (!news || !request->answered) return delete_link(request->socket, name);

    Removal& removal = removals_.emplace_back();
    try {
        removal.thread = std::thread([request, name, &ended = removal.ended] {
            request->result = delete_link(request->socket, name);
            ended = true;
            ::eventfd_write(request->answered.get(), 1);
        });
    } catch (const std::system_error&) { // no thread to be had
        removals_.pop_back();
        return delete_link(request->socket, name);
    }
    for (;;) {
        std::array<pollfd, 2> ready{{{request->answered.get(), POLLIN, 0}, {news.get(), POLLIN, 0}}};
        if (::poll(ready.data(), ready.size(), -1) < 0) continue; // EINTR
        if (ready[0].revents != 0) return std::move(request->result);
        if (announces_end(news.get(), (*link)->index)) return {};
    }
}

} // namespace wgd::sys
