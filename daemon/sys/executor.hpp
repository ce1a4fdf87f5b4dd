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
#include "daemon/sys/net_namespace.hpp"
#include "daemon/sys/netlink_socket.hpp"
#include "daemon/sys/nftables.hpp"

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

  private:
    // The sockets that an op is done with: those of the daemon's namespace, or of the one it is done in.
    struct Hands {
        NetlinkSocket& netlink;
        NetlinkClient& kernel;
        Nftables& nftables;
    };
    // In a namespace, "" for the daemon's; with `work` done when it returns.
    Result<void> with_hands(const std::string& netns, const std::function<Result<void>(Hands&)>& work);

    void perform_in(const std::string& netns, const plan::Op& op, ports::Done done);
    // What is done when it returns.
    Result<void> perform_now(Hands& hands, const plan::Op& op);
    // Hooks, DNS and the two ops on userspace links wait for a process.
    void run_hook(const std::string& netns, const plan::RunHook& op, ports::Done done);
    void start_userspace_link(const plan::CreateLink& op, ports::Done done);
    void stop_userspace_link(const std::string& netns, const plan::DeleteLink& op, ports::Done done);
    Result<void> delete_own_link(Hands& hands, const std::string& name);
    Result<void> configure(Hands& hands, const plan::ConfigureDevice& op);
    Result<void> move(Hands& hands, const plan::MoveLink& op);

    NetlinkSocket& netlink_;
    NetlinkClient& kernel_;
    UapiClient& userspace_;
    DatapathProcesses& datapaths_;
    DnsControl& dns_;
    Nftables nftables_;
    CommandRunner commands_;
    std::string profile_dir_;
    const NetNamespaces& namespaces_;
    std::map<std::uint64_t, std::unique_ptr<CommandRunner::Run>> hooks_; // running
    std::uint64_t next_hook_ = 0;
};

} // namespace wgd::sys
