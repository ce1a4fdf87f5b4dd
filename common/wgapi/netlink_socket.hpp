// SPDX-License-Identifier: MIT
// NetlinkSocket: one request and its answers on an AF_NETLINK socket, blocking with a time limit. Small
// enough to be ours, so that every buffer a device's keys pass through is zeroed (libnl's are not).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "common/base/bytes.hpp"
#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"

namespace wgd::wgnl {

class NetlinkSocket {
  public:
    static Result<NetlinkSocket> open(int protocol); // NETLINK_GENERIC, NETLINK_ROUTE

    // Sends a message of `type` with NLM_F_REQUEST | `flags`, hands the payload of every answer to
    // `on_message`, and returns when the answer is complete: after the acknowledgement (NLM_F_ACK) or the end
    // of the dump. Errors: kKernel with sys_errno (message has the kernel's own words if it sent any; EINTR:
    // a dump was disturbed by a change and has to be asked for again), kTimeout, kIo, kProtocol, or
    // on_message's own.
    Result<void> request(std::uint16_t type, std::uint16_t flags, ByteView payload,
                         const std::function<Result<void>(ByteView payload)>& on_message = {});

  private:
    explicit NetlinkSocket(Fd fd)
        : fd_(std::move(fd)) {}
    Result<std::size_t> receive(SecretBytes& buffer, std::chrono::steady_clock::time_point deadline);
    Fd fd_;
    std::uint32_t sequence_ = 0;
};

} // namespace wgd::wgnl
