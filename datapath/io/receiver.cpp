// SPDX-License-Identifier: MIT
#include "datapath/io/receiver.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace wgd::io {

Receiver::Receiver(const Tun& tun, Crew& crew, std::size_t number, UdpSockets& sockets,
                   wg::DataPath& data_path, crypto::Aead& aead, HandshakeQueue& handshakes,
                   SharedState& shared)
    : tun_(&tun)
    , crew_(&crew)
    , number_(number)
    , sockets_(&sockets)
    , handshakes_(&handshakes)
    , shared_(&shared)
    , thread_(data_path.attach(aead))
    , coalescer_(kPackets, {tun.offloads().tun_tso4, tun.offloads().tun_tso6, tun.offloads().tun_uso})
    , buffers_(std::make_unique_for_overwrite<std::uint8_t[]>(kMessages * kMessageSize)) {
    packets_.reserve(kPackets);
    for (std::size_t i = 0; i < kMessages; ++i) {
        vectors_[i] = {buffers_.get() + i * kMessageSize, kMessageSize};
        messages_[i].msg_hdr.msg_iov = &vectors_[i];
        messages_[i].msg_hdr.msg_iovlen = 1;
        messages_[i].msg_hdr.msg_name = &names_[i];
        messages_[i].msg_hdr.msg_control = controls_[i].bytes;
    }
}

void Receiver::run(std::function<void(std::size_t)> quiet) {
    quiet_ = std::move(quiet);
    crew_->run(number_, *this, thread_, *shared_);
}

Found Receiver::serve(std::size_t lane) {
    thread_.online();
    const Found found = batch(lane);
    thread_.offline();
    return found;
}

Found Receiver::batch(std::size_t lane) {
    Lane::Pass pass(crew_->lane(lane));
    const std::size_t messages = receive(sockets_->fd(family_of(lane), socket_of(lane)));
    pass.done_reading();
    if (messages == 0) return Found::kNothing;
    if (messages == kMessages) crew_->call_to(lane, number_);
    cut(messages);
    thread_.open(packets_, read_clocks());
    pass.begin_writing();
    deliver();
    if (messages == kMessages) return Found::kFull;
    return packets_.size() > 1 ? Found::kSome : Found::kOne;
}

std::size_t Receiver::receive(int socket) {
    for (mmsghdr& message : messages_) {
        message.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
        message.msg_hdr.msg_controllen = kReceiveControlSize;
        message.msg_hdr.msg_flags = 0;
    }
    // An error is "nothing there", or an ICMP error of an earlier datagram: either way nothing to do.
    const int got = ::recvmmsg(socket, messages_.data(), kMessages, MSG_DONTWAIT, nullptr);
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

void Receiver::cut(std::size_t messages) {
    packets_.clear();
    for (std::size_t i = 0; i < messages; ++i) {
        const mmsghdr& message = messages_[i];
        if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0 || !decode_received(message.msg_hdr, heads_[i]))
            continue;
        const std::uint32_t total = message.msg_len;
        const std::uint32_t step = heads_[i].segment_size != 0 ? heads_[i].segment_size : std::max(total, 1U);
        std::size_t count = 0;
        for (std::uint32_t at = 0; at < total && count < kMaxSegments; at += step, ++count) {
            wg::InPacket packet;
            packet.data = buffers_.get() + i * kMessageSize + at;
            packet.size = std::min(step, total - at);
            packet.tos = heads_[i].tos;
            packet.from = &heads_[i].path;
            packets_.push_back(packet);
        }
    }
}

void Receiver::deliver() {
    for (const wg::InPacket& packet : packets_) {
        if (packet.outcome == wg::Outcome::kDeliver)
            coalescer_.add(packet.inner, packet.inner_size);
        else if (packet.outcome == wg::Outcome::kHandshake)
            (void)handshakes_->push({packet.data, packet.size}, *packet.from);
    }
    coalescer_.flush([&](std::span<const iovec> vectors, std::size_t flow) {
        if (!tun_->has_vnet_header()) vectors = vectors.subspan(1);
        // A full or absent TUN drops the packet, as a network does: EIO while the interface is down.
        (void)!::writev(tun_->fd(flow % tun_->queues()), vectors.data(), static_cast<int>(vectors.size()));
    });
}

} // namespace wgd::io
