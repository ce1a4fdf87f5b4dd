// SPDX-License-Identifier: MIT
#include "daemon/sys/nft_announcements.hpp"

#include <cerrno>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common/model/marks.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {
namespace {

constexpr int kReceiveBuffer = 1 << 20;
// The first attribute of every message about a table, a chain, a rule or a set is the table's name.
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
              NFTA_SET_ELEM_LIST_TABLE == 1);
constexpr int kTableName = 1;

std::string_view text_of(const nlmsghdr* message, int attribute) {
    const nlattr* found =
        nlmsg_find_attr(const_cast<nlmsghdr*>(message), sizeof(nfgenmsg), attribute); // reads only
    if (found == nullptr || nla_len(found) <= 0) return {};
    const std::string_view text(static_cast<const char*>(nla_data(found)),
                                static_cast<std::size_t>(nla_len(found)));
    return text.substr(0, text.find('\0'));
}

} // namespace

NftAnnouncements::NftAnnouncements(Fd fd, std::function<void(bool elsewhere)> changed)
    : fd_(std::move(fd))
    , changed_(std::move(changed))
    , buffer_(65536) {
    char name[16] = {};
    if (::prctl(PR_GET_NAME, name) == 0) own_name_ = name;
}

Result<std::unique_ptr<NftAnnouncements>>
NftAnnouncements::create(loop::EventLoop& loop, std::function<void(bool elsewhere)> changed) {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
    if (!fd) return fail_errno(ErrorCode::kUnsupported, errno, "cannot open a netfilter socket");
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
        static_cast<void>(
            ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    const int group = NFNLGRP_NFTABLES;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
        return fail_errno(ErrorCode::kUnsupported, errno, "cannot listen to nftables' announcements");
    listen_to_other_namespaces(fd.get());
    const int raw_fd = fd.get();
    std::unique_ptr<NftAnnouncements> listener(new NftAnnouncements(std::move(fd), std::move(changed)));
    NftAnnouncements* raw = listener.get();
    auto source = loop.add_fd(raw_fd, EPOLLIN, [raw](std::uint32_t) { raw->read_some(); });
    if (!source) return fail(std::move(source).error());
    listener->source_ = std::move(*source);
    return listener;
}

void NftAnnouncements::read_some() {
    receive_announcements(
        fd_.get(), buffer_, [this] { changed_(false); }, // perhaps it was about us
        [this](const nlmsghdr* message, bool elsewhere) { take(message, elsewhere); });
}

// A transaction is announced as its changes and, last, the new generation of the ruleset with the name of the
// process that made it. Ours are told apart by that; who takes our name deceives nobody but himself.
void NftAnnouncements::take(const nlmsghdr* message, bool elsewhere) {
    if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES) return;
    if (NFNL_MSG_TYPE(message->nlmsg_type) != NFT_MSG_NEWGEN) {
        concerned_ =
            concerned_ || text_of(message, kTableName).substr(0, kNftTablePrefix.size()) == kNftTablePrefix;
        return;
    }
    const bool concerned = std::exchange(concerned_, false);
    if (concerned && text_of(message, NFTA_GEN_PROC_NAME) != own_name_) changed_(elsewhere);
}

} // namespace wgd::sys
