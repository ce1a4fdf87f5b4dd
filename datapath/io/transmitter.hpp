// SPDX-License-Identifier: MIT
// Transmitter: one thread's way from a TUN queue to the network, run to completion:
//   read super-packets -> route -> split into datagram slots (copy and checksum in one pass) -> seal a burst
//   in place -> one sendmsg per run of equal datagrams.
// A batch is what the queue holds at the moment, at most kBatchPackets; it never waits for more. All memory
// is its own and allocated by make().
#pragma once

#include <memory>
#include <vector>

#include "datapath/crypto/aead.hpp"
#include "datapath/io/data_thread.hpp"
#include "datapath/io/sender.hpp"
#include "datapath/io/splitter.hpp"
#include "datapath/io/tun.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Transmitter {
  public:
    // Everything referred to must outlive it.
    static Result<std::unique_ptr<Transmitter>> make(const Tun& tun, std::size_t queue, UdpPair& sockets,
                                                     wg::DataPath& data_path,
                                                     std::unique_ptr<crypto::Aead> aead, SharedState& shared);

    void run(); // the thread; returns when shared.stop is set and wake() was called, or the TUN is gone
    void wake() { wake_.ring(); } // any thread

  private:
    static constexpr std::size_t kBatchPackets = 128;
    static constexpr std::size_t kBatchBytes =
        96 << 10; // stop reading; a super-packet may still be on top of it
    static constexpr std::size_t kReadSize = 10 + 65536;
    static constexpr std::size_t kArenaSize = 256 << 10;

    Transmitter(int tun_fd, bool vnet_header, UdpPair& sockets, wg::DataPath& data_path,
                std::unique_ptr<crypto::Aead> aead, SharedState& shared, Event wake);

    bool wait(); // for the TUN; false: stop
    bool fill(); // false: nothing was there
    void take(const VnetHeader& vnet, ByteView packet);
    void flush(); // seals and sends the batch
    void flush_peer(wg::Peer& peer, std::span<wg::OutPacket> packets);
    void reject(ByteView packet, wg::Drop why); // ICMP unreachable into the TUN
    [[nodiscard]] std::size_t slot_size(std::size_t inner_size) const;

    int tun_fd_;
    bool vnet_header_;
    SharedState* shared_;
    Event wake_;
    std::unique_ptr<crypto::Aead> aead_;
    wg::DataThread thread_;
    Sender sender_;
    Splitter splitter_;
    wg::Now now_{};
    std::size_t mtu_ = 0;
    bool tun_dead_ = false;

    std::vector<std::uint8_t> read_buffer_;
    std::vector<std::uint8_t> arena_;
    std::size_t arena_used_ = 0;
    std::vector<wg::OutPacket> packets_;  // of the batch, in order
    std::vector<wg::Peer*> peers_;        // their peers
    std::vector<wg::OutPacket> one_peer_; // scratch for batches of several peers
};

} // namespace wgd::io
