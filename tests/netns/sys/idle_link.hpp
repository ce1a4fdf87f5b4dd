// SPDX-License-Identifier: MIT
// Idle links: for tests that bring a tunnel up some thousand times on the real kernel, where starting and
// ending a datapath would take most of the time. What stands in for what:
//
//   a persistent TUN link that nobody serves   for a link of kind wireguard
//   a file, /run/devices/NAME                  for the WireGuard device behind it (keys, peers, port, mark)
//
// Everything else is done by the adapters of daemon/sys. No packet goes through such a link.
#pragma once

#include <string>

#include "daemon/ports/ports.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::test {

class IdleLinkExecutor final : public ports::Executor {
  public:
    IdleLinkExecutor(ports::Executor& real, sys::NetlinkSocket& netlink)
        : real_(real)
        , netlink_(netlink) {}
    void perform(const plan::Op& op, ports::Done done) override;

  private:
    ports::Executor& real_;
    sys::NetlinkSocket& netlink_;
};

class IdleLinkReader final : public ports::SystemReader {
  public:
    explicit IdleLinkReader(ports::SystemReader& real)
        : real_(real) {}
    Result<plan::Snapshot> read(const ports::SnapshotScope& scope) override;
    Result<std::map<std::string, plan::TableState>> read_tables() override { return real_.read_tables(); }
    Result<WgDevice> read_device(const std::string& link, const std::string& netns) override;
    Result<ports::LinkReading> read_link(const std::string& link, const std::string& netns) override;

  private:
    ports::SystemReader& real_;
};

struct IdleLinkProbe final : ports::BackendProbe {
    ports::BackendReport probe() override { return {true, "an idle link", false, "not used"}; }
};

} // namespace wgd::test
