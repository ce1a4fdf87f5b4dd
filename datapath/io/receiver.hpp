// SPDX-License-Identifier: MIT
// Receiver: one thread's way from the network to the TUN, run to completion:
//   recvmmsg of UDP_GRO buffers -> open bursts in place -> join what follows each other in a flow -> one
//   writev each.
// Handshake messages go to the control thread's queue. One thread reads both sockets, so packets of a flow
// stay in order.
#pragma once

#include <memory>
#include <vector>

#include "datapath/crypto/aead.hpp"
#include "datapath/io/coalescer.hpp"
#include "datapath/io/data_thread.hpp"
#include "datapath/io/handshake_queue.hpp"
#include "datapath/io/tun.hpp"
#include "datapath/io/udp_socket.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Receiver {
  public:
    // Everything referred to must outlive it.
    static Result<std::unique_ptr<Receiver>> make(const Tun& tun, std::size_t queue, UdpPair& sockets,
                                                  wg::DataPath& data_path, std::unique_ptr<crypto::Aead> aead,
                                                  HandshakeQueue& handshakes, SharedState& shared);

    void run();                   // the thread
    void wake() { wake_.ring(); } // any thread: look at shared.stop, and at the sockets again

  private:
    static constexpr std::size_t kMessages = 8;
    static constexpr std::size_t kMessageSize = 65536;
    static constexpr std::size_t kMaxSegments = 128; // per message; the kernel joins up to 64
    static constexpr std::size_t kPackets = kMessages * kMaxSegments;

    Receiver(int tun_fd, const Tun& tun, UdpPair& sockets, wg::DataPath& data_path,
             std::unique_ptr<crypto::Aead> aead, HandshakeQueue& handshakes, SharedState& shared, Event wake);

    bool wait();
    std::size_t receive(int socket); // datagrams found and dealt with
    void deliver();

    int tun_fd_;
    bool vnet_header_;
    UdpPair* sockets_;
    HandshakeQueue* handshakes_;
    SharedState* shared_;
    Event wake_;
    std::unique_ptr<crypto::Aead> aead_;
    wg::DataThread thread_;
    Coalescer coalescer_;

    std::vector<std::uint8_t> buffers_; // kMessages of kMessageSize
    std::vector<wg::InPacket> packets_;
    std::array<mmsghdr, kMessages> messages_{};
    std::array<iovec, kMessages> vectors_{};
    std::array<sockaddr_storage, kMessages> names_{};
    struct alignas(cmsghdr) Control {
        std::uint8_t bytes[kReceiveControlSize];
    };
    std::array<Control, kMessages> controls_{};
    std::array<ReceivedHead, kMessages> heads_{};
};

} // namespace wgd::io
