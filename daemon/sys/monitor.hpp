// SPDX-License-Identifier: MIT
// NetlinkMonitor: ports::Monitor. Listens to what the kernel announces about links, addresses, routes and
// rules of both families, and our nftables tables (of links that disappear also from other namespaces),
// leaves out what our own requests caused, and puts what comes within kQuietTime into one report. When the
// kernel dropped announcements because there were too many (ENOBUFS), everything counts as changed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/fd.hpp"
#include "daemon/loop/event_loop.hpp"
#include "daemon/plan/snapshot.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/datapath_process.hpp"
#include "daemon/sys/netlink_socket.hpp"
#include "daemon/sys/nft_announcements.hpp"
#include "daemon/sys/sysctl_watch.hpp"

namespace wgd::sys {

class NetlinkMonitor final : public ports::Monitor {
  public:
    // Neither `netlink` (whose requests are ours) nor `datapaths` is owned.
    static Result<std::unique_ptr<NetlinkMonitor>> create(loop::EventLoop& loop, NetlinkSocket& netlink,
                                                          DatapathProcesses& datapaths);

    void set_observer(ports::WorldObserver* observer) override { observer_ = observer; }
    // What sys/dns_control has heard.
    void dns_changed() {
        if (observer_ != nullptr) observer_->on_dns_changed();
    }
    Result<void> watch_datapath(const std::string& link) override { return datapaths_.watch(link); }
    void unwatch_datapath(const std::string& link) override { datapaths_.unwatch(link); }

    static constexpr Duration kQuietTime = std::chrono::milliseconds(50);
    // A datapath that dies takes its link along, and the kernel announces the link first. The end of a link
    // whose datapath is watched is held back for this long, so that the cause is reported before its effect.
    static constexpr Duration kCauseTime = std::chrono::milliseconds(500);

  private:
    NetlinkMonitor(loop::EventLoop& loop, NetlinkSocket& netlink, DatapathProcesses& datapaths, Fd fd)
        : loop_(loop)
        , netlink_(netlink)
        , datapaths_(datapaths)
        , fd_(std::move(fd))
        , buffer_(32768) {}
    void read_some();
    void take(const nlmsghdr* message);
    void take_from_elsewhere(const nlmsghdr* message);
    void take_link(const nlmsghdr* message);
    [[nodiscard]] bool has_tunnel() const; // in this namespace, up or not
    void resynchronise();
    void changed();
    void changed_elsewhere();
    void announce(loop::SourcePtr& report, void (ports::WorldObserver::*what)());
    void gone(const std::string& link);
    void report_gone(const std::string& link);
    void datapath_ended(const std::string& link, const std::string& how, bool by_itself);

    loop::EventLoop& loop_;
    NetlinkSocket& netlink_;
    DatapathProcesses& datapaths_;
    ports::WorldObserver* observer_ = nullptr;
    Fd fd_;
    std::vector<std::uint8_t> buffer_;
    loop::SourcePtr source_;
    loop::SourcePtr report_;
    std::unique_ptr<SysctlWatch> sysctls_;
    loop::SourcePtr report_elsewhere_;
    std::unique_ptr<NftAnnouncements> nftables_;       // null: none here
    std::map<std::string, loop::SourcePtr> held_back_; // links that are gone, by name
    std::map<std::uint32_t, plan::Link> links_; // by index, to see renames and what a message really changed
};

} // namespace wgd::sys
