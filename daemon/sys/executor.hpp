// SPDX-License-Identifier: MIT
// LinuxExecutor: ports::Executor on this machine. One function per kind of op; each does what op.hpp says and
// nothing that it does not say.
#pragma once

#include "common/wgapi/netlink_client.hpp"
#include "common/wgapi/uapi_client.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/datapath_process.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

class LinuxExecutor final : public ports::Executor {
  public:
    // None is owned; all outlive the executor.
    LinuxExecutor(NetlinkSocket& netlink, NetlinkClient& kernel, UapiClient& userspace,
                  DatapathProcesses& datapaths)
        : netlink_(netlink)
        , kernel_(kernel)
        , userspace_(userspace)
        , datapaths_(datapaths) {}

    void perform(const plan::Op& op, ports::Done done) override;

  private:
    // The two ops on userspace links wait for a process; all others are done when they return.
    void start_userspace_link(const plan::CreateLink& op, ports::Done done);
    void stop_userspace_link(const plan::DeleteLink& op, ports::Done done);
    Result<void> delete_own_link(const std::string& name);
    Result<void> configure(const plan::ConfigureDevice& op);

    NetlinkSocket& netlink_;
    NetlinkClient& kernel_;
    UapiClient& userspace_;
    DatapathProcesses& datapaths_;
};

} // namespace wgd::sys
