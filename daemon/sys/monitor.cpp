// SPDX-License-Identifier: MIT
#include "daemon/sys/monitor.hpp"

#include <algorithm>
#include <cerrno>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/base/log.hpp"
#include "common/model/marks.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/sys/rtnl_link.hpp"

namespace wgd::sys {
namespace {

constexpr int kGroups[] = {RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR,
                           RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,   RTNLGRP_IPV4_RULE,
                           RTNLGRP_IPV6_RULE,  RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF};
constexpr int kReceiveBuffer = 4 << 20; // room for a routing daemon's bursts

bool same_link(const plan::Link& a, const plan::Link& b) {
    return a.name == b.name && a.alias == b.alias && a.mtu == b.mtu && a.up == b.up;
}

} // namespace

Result<std::unique_ptr<NetlinkMonitor>> NetlinkMonitor::create(loop::EventLoop& loop, NetlinkSocket& netlink,
                                                               DatapathProcesses& datapaths) {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!fd) return fail_errno(ErrorCode::kKernel, errno, "cannot open a netlink socket");
    // Beyond rmem_max with CAP_NET_ADMIN; without it, what the limit allows.
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
        static_cast<void>(
            ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer));
    listen_to_other_namespaces(fd.get());
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot bind a netlink socket");
    for (const int group : kGroups)
        if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0)
            return fail_errno(ErrorCode::kKernel, errno, "cannot listen to the kernel's announcements");

    const int raw_fd = fd.get();
    std::unique_ptr<NetlinkMonitor> monitor(new NetlinkMonitor(loop, netlink, datapaths, std::move(fd)));
    NetlinkMonitor* raw = monitor.get();
    auto source = loop.add_fd(raw_fd, EPOLLIN, [raw](std::uint32_t) { raw->read_some(); });
    if (!source) return fail(std::move(source).error());
    monitor->source_ = std::move(*source);
    monitor->sysctls_ = std::make_unique<SysctlWatch>(
        loop, std::vector<std::string>{std::string(plan::kSrcValidMark), std::string(plan::kArpIgnore)},
        [raw] { return raw->has_tunnel(); }, [raw] { raw->changed(); });
    // After subscribing, so that nothing falls between.
    auto links = read_links(netlink);
    if (!links) return fail(std::move(links).error());
    for (KernelLink& link : *links)
        monitor->links_.insert_or_assign(link.index, std::move(link));
    monitor->sysctls_->begin();
    if (auto nftables = NftAnnouncements::create(
            loop, [raw](bool elsewhere) { elsewhere ? raw->changed_elsewhere() : raw->changed(); }))
        monitor->nftables_ = std::move(*nftables);
    else
        log::debug("{}", nftables.error().message);
    datapaths.on_exit([raw](const std::string& link, const std::string& how, bool by_itself) {
        raw->datapath_ended(link, how, by_itself);
    });
    return monitor;
}

void NetlinkMonitor::read_some() {
    receive_announcements(
        fd_.get(), buffer_, [this] { resynchronise(); },
        [this](const nlmsghdr* message, bool elsewhere) {
            elsewhere ? take_from_elsewhere(message) : take(message);
        });
}

void NetlinkMonitor::take(const nlmsghdr* message) {
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return take_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
    case RTM_NEWNETCONF: // somebody wrote a sysctl of forwarding
        // The kernel writes into nlmsg_pid whose request it was.
        if (message->nlmsg_pid != netlink_.port_id()) changed();
        return;
    default:
        return;
    }
}

// Of another namespace nothing is kept, and indexes mean other links there. Whoever has a tunnel in one looks
// at it, also after what was our own doing: the sockets that did it are gone by now (sys/net_sockets).
void NetlinkMonitor::take_from_elsewhere(const nlmsghdr* message) {
    changed_elsewhere();
    if (message->nlmsg_type != RTM_DELLINK) return;
    if (const auto link = parse_link(message)) gone(link->name);
}

void NetlinkMonitor::take_link(const nlmsghdr* message) {
    auto link = parse_link(message);
    if (!link) return;
    const auto known = links_.find(link->index);
    if (message->nlmsg_type == RTM_DELLINK) {
        const std::string name = known != links_.end() ? known->second.name : link->name;
        if (known != links_.end()) links_.erase(known);
        changed();
        return gone(name);
    }
    // Most announcements of a link change nothing that we look at (a wireless scan, a statistic).
    if (known != links_.end() && same_link(known->second, *link)) return;
    const std::string before = known != links_.end() ? known->second.name : link->name;
    const std::string now = link->name;
    links_.insert_or_assign(link->index, std::move(*link));
    sysctls_->begin();
    changed();
    if (before != now) gone(before); // renamed: whoever knows it by its name has lost it
}

bool NetlinkMonitor::has_tunnel() const {
    return std::any_of(links_.begin(), links_.end(), [](const auto& entry) {
        return entry.second.alias == std::string(kLinkAliasPrefix) + entry.second.name;
    });
}

void NetlinkMonitor::resynchronise() {
    log::notice("the kernel announced more changes than could be read; looking at everything again");
    changed();
    auto links = read_links(netlink_);
    if (!links) {
        log::error("{}", links.error().message);
        return;
    }
    std::map<std::uint32_t, plan::Link> before;
    before.swap(links_);
    for (KernelLink& link : *links)
        links_.insert_or_assign(link.index, std::move(link));
    for (const auto& [index, link] : before) {
        const auto now = links_.find(index);
        if (now == links_.end() || now->second.name != link.name) gone(link.name);
    }
}

void NetlinkMonitor::changed() {
    announce(report_, &ports::WorldObserver::on_world_changed);
}

void NetlinkMonitor::changed_elsewhere() {
    announce(report_elsewhere_, &ports::WorldObserver::on_other_namespace_changed);
}

void NetlinkMonitor::announce(loop::SourcePtr& report, void (ports::WorldObserver::*what)()) {
    if (report) return;
    auto timer = loop_.add_timer(kQuietTime, [this, &report, what] {
        report.reset();
        if (observer_ != nullptr) (observer_->*what)();
    });
    if (timer) report = std::move(*timer);
}

void NetlinkMonitor::gone(const std::string& link) {
    if (!datapaths_.will_report(link)) return report_gone(link);
    auto timer = loop_.add_timer(kCauseTime, [this, link] {
        held_back_.erase(link);
        report_gone(link);
    });
    if (timer) held_back_.insert_or_assign(link, std::move(*timer));
}

void NetlinkMonitor::datapath_ended(const std::string& link, const std::string& how, bool by_itself) {
    const bool link_gone = held_back_.erase(link) != 0;
    // One that ended in good order was told to, by the end of its link.
    if (link_gone && by_itself) report_gone(link);
    if (observer_ != nullptr) observer_->on_datapath_exit(link, how);
    if (link_gone && !by_itself) report_gone(link);
}

void NetlinkMonitor::report_gone(const std::string& link) {
    if (observer_ != nullptr) observer_->on_link_gone(link);
}

} // namespace wgd::sys
