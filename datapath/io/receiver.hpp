// SPDX-License-Identifier: MIT
// Receiver: one thread's way from the network to the TUN, run to completion:
//   recvmmsg of UDP_GRO buffers -> open bursts in place -> join what follows each other in a flow -> one
//   writev each.
// Handshake messages go to the control thread's queue. With several receivers the batches of a socket are
// opened side by side and written in the order they came (crew.hpp); a flow is always written to the same
// TUN queue, which is also where the kernel then puts its answers.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "datapath/crypto/aead.hpp"
#include "datapath/io/coalescer.hpp"
#include "datapath/io/crew.hpp"
#include "datapath/io/data_thread.hpp"
#include "datapath/io/handshake_queue.hpp"
#include "datapath/io/tun.hpp"
#include "datapath/io/udp_socket.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Receiver {
  public:
    // The crew's lanes: one for each socket, and worker `n` is at home on the two sockets of number n.
    static constexpr std::size_t kFamilies = 2;
    [[nodiscard]] static constexpr std::size_t socket_of(std::size_t lane) { return lane / kFamilies; }
    [[nodiscard]] static constexpr Family family_of(std::size_t lane) {
        return lane % kFamilies == 0 ? Family::kIpv4 : Family::kIpv6;
    }

    // Worker `number` of the crew. Everything referred to must outlive it.
    Receiver(const Tun& tun, Crew& crew, std::size_t number, UdpSockets& sockets, wg::DataPath& data_path,
             crypto::Aead& aead, HandshakeQueue& handshakes, SharedState& shared);

    void run(std::function<void(std::size_t)> quiet); // a worker's thread; `quiet` as Crew::run() has it
    Found serve(std::size_t lane);                    // one batch, on a thread that is no worker

    // --- for the crew ---
    Found batch(std::size_t lane);
    void quiet(std::size_t lane) { quiet_(lane); }
    [[nodiscard]] static bool alive() { return true; }

  private:
    static constexpr std::size_t kMessages = 8;
    static constexpr std::size_t kMessageSize = 65536;
    static constexpr std::size_t kMaxSegments = 128; // per message; the kernel joins up to 64
    static constexpr std::size_t kPackets = kMessages * kMaxSegments;

    std::size_t receive(int socket); // messages
    void cut(std::size_t messages);  // into packets_
    void deliver();

    const Tun* tun_;
    Crew* crew_;
    std::size_t number_;
    UdpSockets* sockets_;
    HandshakeQueue* handshakes_;
    SharedState* shared_;
    wg::DataThread thread_;
    Coalescer coalescer_;
    std::function<void(std::size_t)> quiet_;

    std::unique_ptr<std::uint8_t[]> buffers_; // kMessages of kMessageSize
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
