// SPDX-License-Identifier: MIT
// Sender: datagrams of one peer, in order, with as few system calls as the kernel allows. Datagrams of equal
// size go out together (UDP_SEGMENT), the last of a run may be shorter. One per thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <sys/uio.h>

#include "datapath/io/udp_socket.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Sender {
  public:
    explicit Sender(UdpSockets& sockets)
        : sockets_(&sockets) {}

    // Sends what seal() made of `packets` to `path`, by that one of the sockets. True if the source address
    // in `path` was refused: the caller tells DataThread::forget_source(). May block for a moment while the
    // device's queue is full.
    bool send(std::size_t socket, const wg::Path& path, std::span<const wg::OutPacket> packets);
    // One datagram, not blocking: handshakes, from the control thread. As above.
    bool send_one(const wg::Path& path, std::uint8_t tos, ByteView datagram);

    struct Counters {
        std::uint64_t datagrams = 0;
        std::uint64_t messages = 0; // system calls that succeeded
        std::uint64_t errors = 0;   // datagrams given up
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

  private:
    static constexpr std::size_t kMaxSegments = 64;       // UDP_MAX_SEGMENTS before Linux 6.9
    static constexpr std::size_t kMaxMessageSize = 65507; // 65535 - IPv4 and UDP headers

    void send_run(const wg::Path& path, std::span<const wg::OutPacket> run, std::size_t bytes);
    int send_message(const wg::Path& path, std::uint8_t tos, std::uint16_t segment_size, std::size_t vectors,
                     int flags);
    int send_single(const wg::Path& path, std::uint8_t tos, ByteView datagram, int flags);

    UdpSockets* sockets_;
    MessageHead head_;
    std::array<iovec, kMaxSegments> vectors_{};
    std::size_t socket_ = 0; // these two: during one send()
    bool use_source_ = true;
    Counters counters_;
};

} // namespace wgd::io
