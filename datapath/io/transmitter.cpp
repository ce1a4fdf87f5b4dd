// SPDX-License-Identifier: MIT
#include "datapath/io/transmitter.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace wgd::io {

Result<std::unique_ptr<Transmitter>> Transmitter::make(const Tun& tun, std::size_t queue, UdpPair& sockets,
                                                       wg::DataPath& data_path,
                                                       std::unique_ptr<crypto::Aead> aead,
                                                       SharedState& shared) {
    Result<Event> wake = Event::make();
    WGD_TRY(wake);
    return std::unique_ptr<Transmitter>(new Transmitter(
        tun.fd(queue), tun.has_vnet_header(), sockets, data_path, std::move(aead), shared, std::move(*wake)));
}

Transmitter::Transmitter(int tun_fd, bool vnet_header, UdpPair& sockets, wg::DataPath& data_path,
                         std::unique_ptr<crypto::Aead> aead, SharedState& shared, Event wake)
    : tun_fd_(tun_fd)
    , vnet_header_(vnet_header)
    , shared_(&shared)
    , wake_(std::move(wake))
    , aead_(std::move(aead))
    , thread_(data_path.attach(*aead_))
    , sender_(sockets)
    , read_buffer_(kReadSize)
    , arena_(kArenaSize) {
    packets_.reserve(kBatchPackets);
    peers_.reserve(kBatchPackets);
    one_peer_.reserve(kBatchPackets);
}

void Transmitter::run() {
    thread_.online();
    while (!shared_->stop.load(std::memory_order_relaxed) && !tun_dead_) {
        // After more than one packet there may well be the next ones by now: asking costs less than poll(2).
        const bool found = fill();
        const bool busy = packets_.size() > 1;
        if (found) flush();
        if (busy) {
            thread_.quiescent();
            continue;
        }
        thread_.offline();
        if (!wait()) break;
        thread_.online();
    }
    thread_.offline();
    if (tun_dead_) {
        shared_->tun_gone.store(true, std::memory_order_relaxed);
        shared_->attention->ring();
    }
}

bool Transmitter::wait() {
    pollfd fds[2] = {{tun_fd_, POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    if ((fds[1].revents & POLLIN) != 0) wake_.clear();
    if ((fds[0].revents & (POLLERR | POLLNVAL)) != 0) {
        // The interface was deleted under us; read(2) says so with EBADFD. Never spin on another kind of
        // error.
        std::uint8_t byte = 0;
        if (::read(tun_fd_, &byte, 1) < 0 && errno == EBADFD) tun_dead_ = true;
        return !tun_dead_ && !shared_->stop.load(std::memory_order_relaxed);
    }
    return !shared_->stop.load(std::memory_order_relaxed);
}

bool Transmitter::fill() {
    mtu_ = shared_->mtu.load(std::memory_order_relaxed);
    packets_.clear();
    peers_.clear();
    arena_used_ = 0;
    bool found = false;
    while (packets_.size() < kBatchPackets / 2 && arena_used_ < kBatchBytes) {
        // Without a vnet header the packet goes where it would be behind one.
        std::uint8_t* const into = read_buffer_.data() + (vnet_header_ ? 0 : kVnetHeaderSize);
        const ssize_t got = ::read(tun_fd_, into, kReadSize - (vnet_header_ ? 0 : kVnetHeaderSize));
        if (got < 0) {
            if (errno == EINTR) continue;
            tun_dead_ = errno == EBADFD;
            break;
        }
        if (!found) {
            now_ = read_clocks();
            found = true;
        }
        VnetHeader vnet{};
        auto size = static_cast<std::size_t>(got);
        if (vnet_header_) {
            if (size <= kVnetHeaderSize) continue;
            std::memcpy(&vnet, read_buffer_.data(), kVnetHeaderSize);
            size -= kVnetHeaderSize;
        }
        take(vnet, {read_buffer_.data() + kVnetHeaderSize, size});
    }
    return found;
}

// Bytes from one slot to the next. Chosen to be exactly the datagram, so that a run of datagrams is one piece
// of memory: the inner packet padded to 16 bytes, though not beyond the MTU (WG 5.4.6), a header and a tag.
std::size_t Transmitter::slot_size(std::size_t inner_size) const {
    const std::size_t padded = (inner_size + wg::kPaddingUnit - 1) / wg::kPaddingUnit * wg::kPaddingUnit;
    return std::max(inner_size, std::min(padded, mtu_)) + wg::kTransportOverhead;
}

void Transmitter::take(const VnetHeader& vnet, ByteView packet) {
    wg::Peer* const peer = thread_.route(packet);
    if (peer == nullptr) {
        reject(packet, wg::Drop::kNoRoute);
        return;
    }
    if (!splitter_.begin(vnet, packet)) return;
    for (std::size_t i = 0; i < splitter_.count(); ++i) {
        const std::size_t inner = splitter_.segment_size(i);
        // seal() may use all of kSealTailRoom whatever the MTU, so the last slot keeps it free.
        if (packets_.size() == kBatchPackets ||
            arena_used_ + wg::kTransportHeaderSize + inner + wg::kSealTailRoom > kArenaSize) {
            flush();
            packets_.clear();
            peers_.clear();
            arena_used_ = 0;
        }
        wg::OutPacket out;
        out.buffer = arena_.data() + arena_used_;
        out.inner_size = static_cast<std::uint32_t>(inner);
        splitter_.write(i, out.buffer + wg::kTransportHeaderSize);
        packets_.push_back(out);
        peers_.push_back(peer);
        arena_used_ += slot_size(inner);
    }
}

void Transmitter::flush() {
    if (packets_.empty()) return;
    const bool single =
        std::all_of(peers_.begin(), peers_.end(), [&](wg::Peer* p) { return p == peers_.front(); });
    if (single) {
        flush_peer(*peers_.front(), packets_);
        return;
    }
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
        flush_peer(*peer, one_peer_);
    }
}

void Transmitter::flush_peer(wg::Peer& peer, std::span<wg::OutPacket> packets) {
    const wg::SealResult result = thread_.seal(peer, packets, now_);
    if (result.sealed > 0 && sender_.send(result.path, packets.first(result.sealed)))
        thread_.forget_source(peer);
    if (result.status == wg::SealStatus::kSealed || result.status == wg::SealStatus::kDown) return;
    for (const wg::OutPacket& packet : packets.subspan(result.sealed)) {
        const ByteView inner(packet.buffer + wg::kTransportHeaderSize, packet.inner_size);
        if (result.status == wg::SealStatus::kNoEndpoint)
            reject(inner, wg::Drop::kNoEndpoint);
        else
            thread_.stage(peer, inner, now_);
    }
}

void Transmitter::reject(ByteView packet, wg::Drop why) {
    std::array<std::uint8_t, kVnetHeaderSize + 576> reply{};
    const std::span<std::uint8_t, 576> body(reply.data() + kVnetHeaderSize, 576);
    const std::size_t size = thread_.unreachable(packet, why, now_, body);
    if (size == 0) return;
    const std::uint8_t* const from = reply.data() + (vnet_header_ ? 0 : kVnetHeaderSize);
    (void)!::write(tun_fd_, from, size + (vnet_header_ ? kVnetHeaderSize : 0));
}

} // namespace wgd::io
