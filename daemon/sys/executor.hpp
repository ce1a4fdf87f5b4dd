// SPDX-License-Identifier: MIT
// LinuxExecutor: ports::Executor on this machine. One function per kind of op; each does what op.hpp says and
// nothing that it does not say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/wgapi/netlink_client.hpp"
#include "common/wgapi/uapi_client.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/command_runner.hpp"
#include "daemon/sys/datapath_process.hpp"
#include "daemon/sys/dns_control.hpp"
#include "daemon/sys/link_remover.hpp"
#include "daemon/sys/net_sockets.hpp"

namespace wgd::sys {

class LinuxExecutor final : public ports::Executor {
  public:
    // None is owned; all outlive the executor. Hooks find NAME.conf in `profile_dir` ($CONFIG_FILE).
    LinuxExecutor(NetlinkSocket& netlink, NetlinkClient& kernel, UapiClient& userspace,
                  DatapathProcesses& datapaths, DnsControl& dns, loop::EventLoop& loop,
                  std::string profile_dir, const NetNamespaces& namespaces)
        : netlink_(netlink)
        , kernel_(kernel)
        , userspace_(userspace)
        , datapaths_(datapaths)
        , dns_(dns)
        , commands_(loop)
        , profile_dir_(std::move(profile_dir))
        , namespaces_(namespaces) {}

    void perform(const plan::Op& op, ports::Done done) override;
    void interrupt(const plan::Op& op) override;

  private:
    Result<void> work_in(const std::string& netns, const std::function<Result<void>(NetSockets&)>& work);

    void perform_in(const std::string& netns, const plan::Op& op, ports::Done done);
    // What is done when it returns.
    Result<void> perform_now(NetSockets& sockets, const plan::Op& op);
    // Hooks, DNS and the two ops on userspace links wait for a process.
    void run_hook(const std::string& netns, const plan::RunHook& op, ports::Done done);
    void start_userspace_link(const plan::CreateLink& op, ports::Done done);
    void stop_userspace_link(const std::string& netns, const plan::DeleteLink& op, ports::Done done);
    Result<void> delete_own_link(NetSockets& sockets, const std::string& name);
    Result<void> configure(NetSockets& sockets, const plan::ConfigureDevice& op);
    Result<void> move(NetSockets& sockets, const plan::MoveLink& op);

    NetlinkSocket& netlink_;
    NetlinkClient& kernel_;
    UapiClient& userspace_;
    DatapathProcesses& datapaths_;
    DnsControl& dns_;
    Nftables nftables_;
    LinkRemover links_;
    CommandRunner commands_;
    std::string profile_dir_;
    const NetNamespaces& namespaces_;
    struct Hook {
        std::string link;
        std::unique_ptr<CommandRunner::Run> run;
    };
    std::map<std::uint64_t, Hook> hooks_; // running
    std::uint64_t next_hook_ = 0;
};

} // namespace wgd::sys
