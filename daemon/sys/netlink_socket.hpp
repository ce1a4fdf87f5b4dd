// SPDX-License-Identifier: MIT
// NetlinkSocket: requests to rtnetlink and their answers. Every call is one synchronous exchange (the kernel
// has answered by the time send(2) returns), so nothing here waits for anybody but the kernel. Errors carry
// the kernel's extended acknowledgement (NETLINK_EXT_ACK) behind errno's text. Used by one thread.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "daemon/sys/netlink_message.hpp"

namespace wgd::sys {

// netlink(7). `what` names the action in the error ("cannot add route 10.0.0.0/8").
class NetlinkSocket {
  public:
    using Visit = std::function<void(const nlmsghdr*)>;

    // In the network namespace of the calling thread. `family` as in netlink(7): NETLINK_ROUTE, which is 0,
    // or NETLINK_NETFILTER. kKernel.
    static Result<NetlinkSocket> open(int family = 0);

    // Sends one request and waits for its acknowledgement. kKernel with sys_errno (kNotAuthorized for EPERM,
    // kUnsupported for EOPNOTSUPP).
    Result<void> request(NetlinkMessage& message, std::string_view what);
    // One request answered by one message instead of an acknowledgement (RTM_GETROUTE, RTM_GETLINK).
    Result<void> query(NetlinkMessage& message, std::string_view what, const Visit& answer);
    // A complete dump or an error: when the kernel says that the table changed meanwhile (NLM_F_DUMP_INTR)
    // the dump is taken again, up to kMaxDumpAttempts times. The answers are visited only once one is
    // complete.
    Result<void> dump(NetlinkMessage& message, std::string_view what, const Visit& visit);

    // By this number the kernel tells which messages of a monitor were caused by requests of this socket.
    [[nodiscard]] std::uint32_t port_id() const { return port_id_; }

    static constexpr int kMaxDumpAttempts = 8;

  private:
    NetlinkSocket(Fd fd, std::uint32_t port_id)
        : fd_(std::move(fd))
        , port_id_(port_id)
        , buffer_(32768) {}
    Result<void> send(NetlinkMessage& message, int flags, std::string_view what);
    // One datagram of messages into buffer_. Its size.
    Result<std::size_t> receive(std::string_view what);
    enum class DumpEnd { kComplete, kInterrupted };
    Result<DumpEnd> collect(std::string_view what, std::vector<std::uint8_t>& into);

    Fd fd_;
    std::uint32_t port_id_;
    std::uint32_t sequence_ = 0;
    std::vector<std::uint8_t> buffer_;
};

// Announcements also from the network namespaces that are known here, as one is that a link was moved to.
// Without CAP_NET_BROADCAST there are none.
void listen_to_other_namespaces(int fd);
// Reads what the kernel has announced to a monitor's socket, which does not block, until there is nothing
// more or a turn of the loop's is used up. `take` gets each message, and whether it is of another namespace
// than the socket's own; `lost` is called where some could not be received. What others than the kernel send
// is ignored.
void receive_announcements(int fd, std::span<std::uint8_t> buffer, const std::function<void()>& lost,
                           const std::function<void(const nlmsghdr*, bool elsewhere)>& take);

// The error of an NLMSG_ERROR (or NLMSG_DONE that carries one): 0, or errno with the extended text.
// Pure, for tests on bytes.
struct NetlinkStatus {
    int error = 0;
    std::string text; // of NLMSGERR_ATTR_MSG
};
NetlinkStatus parse_netlink_status(const nlmsghdr* message);
Failure netlink_failure(const NetlinkStatus& status, std::string_view what);

} // namespace wgd::sys
