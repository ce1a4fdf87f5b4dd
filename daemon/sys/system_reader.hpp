// SPDX-License-Identifier: MIT
// LinuxReader: ports::SystemReader over rtnetlink, /proc/sys and common/wgapi.
#pragma once

#include "common/wgapi/netlink_client.hpp"
#include "common/wgapi/uapi_client.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/dns_control.hpp"
#include "daemon/sys/net_sockets.hpp"

namespace wgd::sys {

class LinuxReader final : public ports::SystemReader {
  public:
    // None is owned; all outlive the reader.
    LinuxReader(NetlinkSocket& netlink, NetlinkClient& kernel, UapiClient& userspace, DnsControl& dns,
                const NetNamespaces& namespaces)
        : netlink_(netlink)
        , kernel_(kernel)
        , userspace_(userspace)
        , dns_(dns)
        , namespaces_(namespaces) {}

    Result<plan::Snapshot> read(const ports::SnapshotScope& scope) override;
    Result<std::map<std::string, plan::TableState>> read_tables() override { return nftables_.tables(); }
    Result<WgDevice> read_device(const std::string& link, const std::string& netns) override;
    Result<ports::LinkReading> read_link(const std::string& link, const std::string& netns) override;

  private:
    Result<void> look_into(const std::string& netns, const std::function<Result<void>(NetSockets&)>& work);

    // Links, routes and the paths to endpoints.
    Result<void> read_routing(NetSockets& sockets, const ports::SnapshotScope& scope, plan::Snapshot& into);
    // Everything else.
    Result<void> read_rest(NetSockets& sockets, const ports::SnapshotScope& scope, plan::Snapshot& into);
    Result<void> read_device_of(NetSockets& sockets, const ports::SnapshotScope& scope, plan::Snapshot& into);
    Result<WgDevice> read_wireguard(NetSockets& sockets, const plan::Link& link);
    Result<void> read_paths(NetSockets& sockets, const ports::SnapshotScope& scope, plan::Snapshot& into);
    void read_marks(NetSockets& sockets, const std::string& except, plan::Snapshot& into);

    NetlinkSocket& netlink_;
    NetlinkClient& kernel_;
    UapiClient& userspace_;
    DnsControl& dns_;
    Nftables nftables_;
    const NetNamespaces& namespaces_;
};

// The process behind a link decides what it is: kind "wireguard" is the kernel's; a TUN device whose name has
// a UAPI socket that somebody listens on is a userspace one; anything else is no WireGuard link.
std::optional<plan::Backend> backend_of(const plan::Link& link, const UapiClient& userspace);

} // namespace wgd::sys
