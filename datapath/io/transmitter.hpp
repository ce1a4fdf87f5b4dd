// SPDX-License-Identifier: MIT
// Transmitter: one thread's way from a TUN queue to the network, run to completion:
//   read super-packets -> route -> split into datagram slots (copy and checksum in one pass) -> seal a burst
//   in place -> one sendmsg per run of equal datagrams.
// A batch is what the queue holds at the moment, at most kBatchPackets; it never waits for more. All memory
// is its own, and touched only as far as it is used. There is one for every queue; they
// help each other out (crew.hpp), and a queue's packets leave in its order, through the socket of its number.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "datapath/crypto/aead.hpp"
#include "datapath/io/crew.hpp"
#include "datapath/io/data_thread.hpp"
#include "datapath/io/sender.hpp"
#include "datapath/io/splitter.hpp"
#include "datapath/io/tun.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Transmitter {
  public:
    // Worker `number` of the crew; lane i is queue i. Everything referred to must outlive it.
    Transmitter(const Tun& tun, Crew& crew, std::size_t number, UdpSockets& sockets, wg::DataPath& data_path,
                crypto::Aead& aead, SharedState& shared);

    // A worker's thread; returns when shared.stop is set and the crew woken, or the TUN is gone. `quiet` as
    // Crew::run() has it.
    void run(std::function<void(std::size_t)> quiet);
    Found serve(std::size_t queue); // one batch, on a thread that is no worker

    // --- for the crew ---
    Found batch(std::size_t queue);
    void quiet(std::size_t queue) { quiet_(queue); }
    [[nodiscard]] bool alive() const { return !tun_dead_; }

  private:
    static constexpr std::size_t kBatchPackets = 128;
    static constexpr std::size_t kBatchReads = 64;
    static constexpr std::size_t kBatchBytes = 96 << 10; // stop reading; a super-packet may be on top of it
    static constexpr std::size_t kReadSize = kVnetHeaderSize + 65536;
    static constexpr std::size_t kReadBufferSize = kBatchBytes + kReadSize;
    static constexpr std::size_t kArenaSize = 256 << 10;

    struct Read {
        VnetHeader vnet;
        ByteView packet;
    };

    Found read(std::size_t queue);
    void take(const Read& read, Lane::Pass& pass);
    void flush(Lane::Pass& pass); // seals and sends what take() has collected
    void flush_peer(wg::Peer& peer, std::span<wg::OutPacket> packets, Lane::Pass& pass);
    void reject(ByteView packet, wg::Drop why, Lane::Pass& pass); // ICMP unreachable into the TUN
    [[nodiscard]] std::size_t slot_size(std::size_t inner_size) const;

    const Tun* tun_;
    Crew* crew_;
    std::size_t number_;
    SharedState* shared_;
    wg::DataThread thread_;
    Sender sender_;
    Splitter splitter_;
    std::function<void(std::size_t)> quiet_;
    wg::Now now_{};
    std::size_t queue_ = 0; // of the batch
    std::size_t mtu_ = 0;
    bool tun_dead_ = false;

    std::unique_ptr<std::uint8_t[]> read_buffer_;
    std::vector<Read> reads_; // of the batch
    std::unique_ptr<std::uint8_t[]> arena_;
    std::size_t arena_used_ = 0;
    std::vector<wg::OutPacket> packets_;  // of the batch, in order
    std::vector<wg::Peer*> peers_;        // their peers
    std::vector<wg::OutPacket> one_peer_; // scratch for batches of several peers
};

} // namespace wgd::io
