// SPDX-License-Identifier: MIT
// SocketSource: what needs privilege while the tunnel runs, as an interface. In the plain build of things it
// is done on the spot; in the cage (cage.hpp) a small parent does it and hands the descriptors over.
#pragma once

#include "datapath/io/udp_socket.hpp"

namespace wgd::io {

class SocketSource {
  public:
    virtual ~SocketSource() = default;
    // As bind_sockets().
    virtual Result<BoundSockets> bind(std::uint16_t port, std::uint32_t mark) = 0;
    // SO_MARK on the sockets of the last bind(), in place.
    virtual Result<void> set_mark(UdpPair& sockets, std::uint32_t mark) = 0;
};

class DirectSocketSource final : public SocketSource {
  public:
    explicit DirectSocketSource(Offloads offloads)
        : offloads_(offloads) {}
    Result<BoundSockets> bind(std::uint16_t port, std::uint32_t mark) override {
        return bind_sockets(port, mark, offloads_);
    }
    Result<void> set_mark(UdpPair& sockets, std::uint32_t mark) override { return sockets.set_mark(mark); }

  private:
    Offloads offloads_;
};

} // namespace wgd::io
