// SPDX-License-Identifier: MIT
#include "datapath/io/transmitter.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

namespace wgd::io {

Transmitter::Transmitter(const Tun& tun, Crew& crew, std::size_t number, UdpSockets& sockets,
                         wg::DataPath& data_path, crypto::Aead& aead, SharedState& shared)
    : tun_(&tun)
    , crew_(&crew)
    , number_(number)
    , shared_(&shared)
    , thread_(data_path.attach(aead))
    , sender_(sockets)
    , read_buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReadBufferSize))
    , arena_(std::make_unique_for_overwrite<std::uint8_t[]>(kArenaSize)) {
    reads_.reserve(kBatchReads);
    packets_.reserve(kBatchPackets);
    peers_.reserve(kBatchPackets);
    one_peer_.reserve(kBatchPackets);
}

void Transmitter::run(std::function<void(std::size_t)> quiet) {
    quiet_ = std::move(quiet);
    crew_->run(number_, *this, thread_, *shared_);
    if (tun_dead_) shared_->report(shared_->tun_gone);
}

Found Transmitter::serve(std::size_t queue) {
    thread_.online();
    const Found found = batch(queue);
    thread_.offline();
    return found;
}

Found Transmitter::batch(std::size_t queue) {
    Lane::Pass pass(crew_->lane(queue));
    queue_ = queue;
    const Found found = read(queue);
    pass.done_reading();
    if (found == Found::kFull) crew_->call_to(queue, number_);
    for (const Read& read : reads_)
        take(read, pass);
    flush(pass);
    return found;
}

Found Transmitter::read(std::size_t queue) {
    reads_.clear();
    std::size_t used = 0;
    const bool vnet_header = tun_->has_vnet_header();
    while (reads_.size() < kBatchReads && used < kBatchBytes) {
        // Without a vnet header the packet goes where it would be behind one.
        std::uint8_t* const at = read_buffer_.get() + used;
        std::uint8_t* const packet = at + kVnetHeaderSize;
        const ssize_t got = vnet_header ? ::read(tun_->fd(queue), at, kReadSize)
                                        : ::read(tun_->fd(queue), packet, kReadSize - kVnetHeaderSize);
        if (got < 0) {
            if (errno == EINTR) continue;
            tun_dead_ = errno == EBADFD; // the interface was deleted under us
            if (reads_.empty()) return Found::kNothing;
            return reads_.size() == 1 && reads_.front().vnet.gso_type == VnetHeader::kGsoNone ? Found::kOne
                                                                                              : Found::kSome;
        }
        if (reads_.empty()) now_ = read_clocks();
        Read& read = reads_.emplace_back();
        auto size = static_cast<std::size_t>(got);
        if (vnet_header) {
            if (size < kVnetHeaderSize) size = kVnetHeaderSize;
            std::memcpy(&read.vnet, at, kVnetHeaderSize);
            size -= kVnetHeaderSize;
        }
        read.packet = {packet, size};
        used += (kVnetHeaderSize + size + 63) / 64 * 64;
    }
    return Found::kFull;
}

// Bytes from one slot to the next. Chosen to be exactly the datagram, so that a run of datagrams is one piece
// of memory: the inner packet padded to 16 bytes, though not beyond the MTU (WG 5.4.6), a header and a tag.
std::size_t Transmitter::slot_size(std::size_t inner_size) const {
    const std::size_t padded = (inner_size + wg::kPaddingUnit - 1) / wg::kPaddingUnit * wg::kPaddingUnit;
    return std::max(inner_size, std::min(padded, mtu_)) + wg::kTransportOverhead;
}

void Transmitter::take(const Read& read, Lane::Pass& pass) {
    if (read.packet.empty()) return;
    if (packets_.empty()) mtu_ = shared_->mtu.load(std::memory_order_relaxed);
    wg::Peer* const peer = thread_.route(read.packet);
    if (peer == nullptr) {
        reject(read.packet, wg::Drop::kNoRoute, pass);
        return;
    }
    if (!splitter_.begin(read.vnet, read.packet)) return;
    for (std::size_t i = 0; i < splitter_.count(); ++i) {
        const std::size_t inner = splitter_.segment_size(i);
        // seal() may use all of kSealTailRoom whatever the MTU, so the last slot keeps it free.
        if (packets_.size() == kBatchPackets ||
            arena_used_ + wg::kTransportHeaderSize + inner + wg::kSealTailRoom > kArenaSize)
            flush(pass);
        wg::OutPacket out;
        out.buffer = arena_.get() + arena_used_;
        out.inner_size = static_cast<std::uint32_t>(inner);
        splitter_.write(i, out.buffer + wg::kTransportHeaderSize);
        packets_.push_back(out);
        peers_.push_back(peer);
        arena_used_ += slot_size(inner);
    }
}

void Transmitter::flush(Lane::Pass& pass) {
    if (packets_.empty()) return;
    const bool single =
        std::all_of(peers_.begin(), peers_.end(), [&](wg::Peer* p) { return p == peers_.front(); });
    if (single) {
        flush_peer(*peers_.front(), packets_, pass);
    } else {
        for (std::size_t begin = 0; begin < packets_.size(); ++begin) {
            wg::Peer* const peer = peers_[begin];
            if (peer == nullptr) continue; // went with an earlier one
            one_peer_.clear();
            for (std::size_t i = begin; i < packets_.size(); ++i) {
                if (peers_[i] == peer) {
                    one_peer_.push_back(packets_[i]);
                    peers_[i] = nullptr;
                }
            }
            flush_peer(*peer, one_peer_, pass);
        }
    }
    packets_.clear();
    peers_.clear();
    arena_used_ = 0;
}

// Sealed by several threads at once the counters of a peer may leave a little out of order; the receiver's
// window is made for that. What is inside them does not.
void Transmitter::flush_peer(wg::Peer& peer, std::span<wg::OutPacket> packets, Lane::Pass& pass) {
    const wg::SealResult result = thread_.seal(peer, packets, now_);
    pass.begin_writing();
    if (result.sealed > 0 && sender_.send(queue_, result.path, packets.first(result.sealed)))
        thread_.forget_source(peer);
    if (result.status == wg::SealStatus::kSealed || result.status == wg::SealStatus::kDown) return;
    for (const wg::OutPacket& packet : packets.subspan(result.sealed)) {
        const ByteView inner(packet.buffer + wg::kTransportHeaderSize, packet.inner_size);
        if (result.status == wg::SealStatus::kNoEndpoint)
            reject(inner, wg::Drop::kNoEndpoint, pass);
        else
            thread_.stage(peer, inner, now_);
    }
}

void Transmitter::reject(ByteView packet, wg::Drop why, Lane::Pass& pass) {
    std::array<std::uint8_t, kVnetHeaderSize + 576> reply{};
    const std::span<std::uint8_t, 576> body(reply.data() + kVnetHeaderSize, 576);
    const std::size_t size = thread_.unreachable(packet, why, now_, body);
    if (size == 0) return;
    pass.begin_writing();
    const bool vnet_header = tun_->has_vnet_header();
    const std::uint8_t* const from = reply.data() + (vnet_header ? 0 : kVnetHeaderSize);
    (void)!::write(tun_->fd(queue_), from, size + (vnet_header ? kVnetHeaderSize : 0));
}

} // namespace wgd::io
