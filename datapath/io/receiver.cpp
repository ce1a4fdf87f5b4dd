// SPDX-License-Identifier: MIT
#include "datapath/io/receiver.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace wgd::io {

Result<std::unique_ptr<Receiver>> Receiver::make(const Tun& tun, std::size_t queue, UdpPair& sockets,
                                                 wg::DataPath& data_path, std::unique_ptr<crypto::Aead> aead,
                                                 HandshakeQueue& handshakes, SharedState& shared) {
    Result<Event> wake = Event::make();
    WGD_TRY(wake);
    return std::unique_ptr<Receiver>(new Receiver(tun.fd(queue), tun, sockets, data_path, std::move(aead),
                                                  handshakes, shared, std::move(*wake)));
}

Receiver::Receiver(int tun_fd, const Tun& tun, UdpPair& sockets, wg::DataPath& data_path,
                   std::unique_ptr<crypto::Aead> aead, HandshakeQueue& handshakes, SharedState& shared,
                   Event wake)
    : tun_fd_(tun_fd)
    , vnet_header_(tun.has_vnet_header())
    , sockets_(&sockets)
    , handshakes_(&handshakes)
    , shared_(&shared)
    , wake_(std::move(wake))
    , aead_(std::move(aead))
    , thread_(data_path.attach(*aead_))
    , coalescer_(kPackets, {tun.offloads().tun_tso, tun.offloads().tun_uso})
    , buffers_(kMessages * kMessageSize) {
    packets_.reserve(kPackets);
    for (std::size_t i = 0; i < kMessages; ++i) {
        vectors_[i] = {buffers_.data() + i * kMessageSize, kMessageSize};
        messages_[i].msg_hdr.msg_iov = &vectors_[i];
        messages_[i].msg_hdr.msg_iovlen = 1;
        messages_[i].msg_hdr.msg_name = &names_[i];
        messages_[i].msg_hdr.msg_control = controls_[i].bytes;
    }
}

void Receiver::run() {
    thread_.online();
    while (!shared_->stop.load(std::memory_order_relaxed)) {
        const std::size_t found = receive(sockets_->v4()) + receive(sockets_->v6());
        if (found > 1) { // more may well have come meanwhile
            thread_.quiescent();
            continue;
        }
        thread_.offline();
        if (!wait()) break;
        thread_.online();
    }
    thread_.offline();
}

bool Receiver::wait() {
    pollfd fds[3] = {{sockets_->v4(), POLLIN, 0}, {sockets_->v6(), POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
    while (::poll(fds, 3, -1) < 0 && errno == EINTR) {
    }
    if ((fds[2].revents & POLLIN) != 0) wake_.clear();
    return !shared_->stop.load(std::memory_order_relaxed);
}

std::size_t Receiver::receive(int socket) {
    for (mmsghdr& message : messages_) {
        message.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
        message.msg_hdr.msg_controllen = kReceiveControlSize;
        message.msg_hdr.msg_flags = 0;
    }
    const int got = ::recvmmsg(socket, messages_.data(), kMessages, MSG_DONTWAIT, nullptr);
    if (got <= 0)
        return 0; // nothing there, or an ICMP error of an earlier datagram: either way nothing to do

    packets_.clear();
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
        const mmsghdr& message = messages_[i];
        if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0 || !decode_received(message.msg_hdr, heads_[i]))
            continue;
        const std::uint32_t total = message.msg_len;
        const std::uint32_t step = heads_[i].segment_size != 0 ? heads_[i].segment_size : std::max(total, 1U);
        std::size_t count = 0;
        for (std::uint32_t at = 0; at < total && count < kMaxSegments; at += step, ++count) {
            wg::InPacket packet;
            packet.data = buffers_.data() + i * kMessageSize + at;
            packet.size = std::min(step, total - at);
            packet.tos = heads_[i].tos;
            packet.from = &heads_[i].path;
            packets_.push_back(packet);
        }
    }
    thread_.open(packets_, read_clocks());
    deliver();
    return packets_.size();
}

void Receiver::deliver() {
    for (const wg::InPacket& packet : packets_) {
        if (packet.outcome == wg::Outcome::kDeliver)
            coalescer_.add(packet.inner, packet.inner_size);
        else if (packet.outcome == wg::Outcome::kHandshake)
            (void)handshakes_->push({packet.data, packet.size}, *packet.from);
    }
    coalescer_.flush([&](std::span<const iovec> vectors) {
        if (!vnet_header_) vectors = vectors.subspan(1);
        // A full or absent TUN drops the packet, as a network does: EIO while the interface is down.
        (void)!::writev(tun_fd_, vectors.data(), static_cast<int>(vectors.size()));
    });
}

} // namespace wgd::io
