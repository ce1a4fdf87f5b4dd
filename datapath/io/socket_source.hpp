// SPDX-License-Identifier: MIT
// SocketSource: what needs privilege while the tunnel runs, as an interface: in the cage (cage.hpp) a
// small parent does it and hands the descriptors over.
#pragma once

#include "datapath/io/udp_socket.hpp"

namespace wgd::io {

class SocketSource {
  public:
    virtual ~SocketSource() = default;
    // As bind_sockets().
    virtual Result<BoundSockets> bind(std::uint16_t port, std::uint32_t mark) = 0;
    // SO_MARK on the sockets of the last bind(), in place.
    virtual Result<void> set_mark(UdpSockets& sockets, std::uint32_t mark) = 0;
};

} // namespace wgd::io
