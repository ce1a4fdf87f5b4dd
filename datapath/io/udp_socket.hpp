// SPDX-License-Identifier: MIT
// The UDP sockets of a tunnel, IPv4 and IPv6 on the same port, one of each or several, and the control data
// of their messages.
//
// Source: udp(7), ip(7), ipv6(7); UDP_SEGMENT and UDP_GRO: <linux/udp.h>.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "datapath/io/offloads.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::io {

inline constexpr std::size_t kMaxSocketsPerFamily = 16;

struct SocketOptions {
    Offloads offloads;
    // More than one share the port: the kernel gives every remote address and port one of them (SO_REUSEPORT,
    // socket(7)), so that what one peer sends stays in order.
    std::size_t per_family = 1; // at most kMaxSocketsPerFamily
};

// Bound sockets on one port: of each family SocketOptions::per_family, or none if the host does not have it.
struct BoundSockets {
    std::vector<Fd> v4;
    std::vector<Fd> v6;
    std::uint16_t port = 0;
};

// Binds both families to `port`, or to the same free one if it is 0, and sets every option. Errors carry
// sys_errno (EADDRINUSE and the like, also where the port's owner would share it). Needs CAP_NET_ADMIN if
// mark is not 0.
[[nodiscard]] Result<BoundSockets> bind_sockets(std::uint16_t port, std::uint32_t mark,
                                                const SocketOptions& options);

// SO_MARK of one socket.
[[nodiscard]] Result<void> set_socket_mark(int fd, std::uint32_t mark);

// Everything of a message but its payload: peer's address, our address, segment size, traffic class. Encoded
// once per run of datagrams to one place.
class MessageHead {
  public:
    // segment_size 0: no UDP_SEGMENT.
    void encode(const wg::Path& path, bool with_source, std::uint8_t tos, std::uint16_t segment_size);
    void fill(msghdr& message);

  private:
    sockaddr_storage remote_;
    socklen_t remote_size_ = 0;
    alignas(cmsghdr) std::array<std::uint8_t, 128> control_;
    std::size_t control_size_ = 0;
};

// What a received message's control data says.
struct ReceivedHead {
    wg::Path path;
    std::uint16_t segment_size = 0; // 0: one datagram
    std::uint8_t tos = 0;
};
inline constexpr std::size_t kReceiveControlSize = 192;
// False if the sender's address is not one.
[[nodiscard]] bool decode_received(const msghdr& message, ReceivedHead& out);

// The sockets in use, shared by the threads that transmit, those that receive, and the control thread. The
// numbers of the descriptors never change: replace() puts other sockets behind them (dup2(2)), so that a new
// listen port needs no agreement between the threads, but for who waits for them (duty.hpp).
class UdpSockets {
  public:
    static Result<std::unique_ptr<UdpSockets>> make(const SocketOptions& options); // with nothing bound

    [[nodiscard]] std::size_t per_family() const { return v4_.size(); }
    [[nodiscard]] int fd(Family family, std::size_t number) const {
        return (family == Family::kIpv4 ? v4_ : v6_)[number].get();
    }

    // Control thread. Empty sockets close what was there.
    Result<void> replace(BoundSockets sockets);

    // UDP_SEGMENT, until some device of the way turns out not to be able to.
    [[nodiscard]] bool segmentation() const { return segmentation_.load(std::memory_order_relaxed); }
    void disable_segmentation() { segmentation_.store(false, std::memory_order_relaxed); }

  private:
    UdpSockets(std::vector<Fd> v4, std::vector<Fd> v6, Fd nothing, bool segmentation)
        : v4_(std::move(v4))
        , v6_(std::move(v6))
        , nothing_(std::move(nothing))
        , segmentation_(segmentation) {}
    std::vector<Fd> v4_;
    std::vector<Fd> v6_;
    Fd nothing_; // stands in for a socket that is not there; kept, since the cage lets nobody open one
    std::atomic<bool> segmentation_;
};

} // namespace wgd::io
