// SPDX-License-Identifier: MIT
#include "datapath/io/sender.hpp"

#include <cerrno>

namespace wgd::io {

bool Sender::send(std::size_t socket, const wg::Path& path, std::span<const wg::OutPacket> packets) {
    socket_ = socket;
    use_source_ = true;
    std::size_t begin = 0;
    while (begin < packets.size()) {
        const std::size_t segment = packets[begin].datagram_size;
        std::size_t bytes = segment;
        std::size_t end = begin + 1;
        if (sockets_->segmentation()) {
            while (end < packets.size() && end - begin < kMaxSegments &&
                   packets[end].tos == packets[begin].tos && packets[end].datagram_size <= segment &&
                   bytes + packets[end].datagram_size <= kMaxMessageSize) {
                bytes += packets[end].datagram_size;
                ++end;
                if (packets[end - 1].datagram_size < segment) break;
            }
        }
        send_run(path, packets.subspan(begin, end - begin), bytes);
        begin = end;
    }
    return !use_source_;
}

void Sender::send_run(const wg::Path& path, std::span<const wg::OutPacket> run, std::size_t bytes) {
    // Buffers are laid out so that datagrams usually touch: then the whole run is one piece.
    std::size_t used = 0;
    for (const wg::OutPacket& packet : run) {
        iovec* last = used > 0 ? &vectors_[used - 1] : nullptr;
        if (last != nullptr && static_cast<std::uint8_t*>(last->iov_base) + last->iov_len == packet.buffer)
            last->iov_len += packet.datagram_size;
        else
            vectors_[used++] = {packet.buffer, packet.datagram_size};
    }
    const bool segmented = run.size() > 1;
    const auto segment_size = static_cast<std::uint16_t>(segmented ? run.front().datagram_size : 0);
    int error = send_message(path, run.front().tos, segment_size, used, 0);
    (void)bytes;
    if (error == 0) {
        counters_.datagrams += run.size();
        return;
    }
    if (!segmented) {
        ++counters_.errors;
        return;
    }
    // EIO: the device cannot do checksums, so the kernel cannot segment for it; others of this tunnel go
    // there too. EINVAL and EMSGSIZE: a segment is larger than the way's MTU and would have to be fragmented.
    // ENOBUFS and the like would meet single datagrams as well.
    if (error == EIO || error == ENOPROTOOPT || error == EOPNOTSUPP)
        sockets_->disable_segmentation();
    else if (error != EINVAL && error != EMSGSIZE) {
        counters_.errors += run.size();
        return;
    }
    for (const wg::OutPacket& packet : run) {
        error = send_single(path, packet.tos, {packet.buffer, packet.datagram_size}, 0);
        ++(error == 0 ? counters_.datagrams : counters_.errors);
    }
}

bool Sender::send_one(const wg::Path& path, std::uint8_t tos, ByteView datagram) {
    socket_ = 0;
    use_source_ = true;
    const int error = send_single(path, tos, datagram, MSG_DONTWAIT);
    ++(error == 0 ? counters_.datagrams : counters_.errors);
    return !use_source_;
}

int Sender::send_single(const wg::Path& path, std::uint8_t tos, ByteView datagram, int flags) {
    vectors_[0] = {const_cast<std::uint8_t*>(datagram.data()), datagram.size()};
    return send_message(path, tos, 0, 1, flags);
}

// 0 or an errno. A source address that the host lost (EINVAL, EADDRNOTAVAIL; a route that forbids it) is
// given up at the first error, and the datagram sent again without one.
int Sender::send_message(const wg::Path& path, std::uint8_t tos, std::uint16_t segment_size,
                         std::size_t vectors, int flags) {
    const bool has_source = !path.local.is_unspecified();
    const int fd = sockets_->fd(path.remote.address.family(), socket_);
    for (;;) {
        head_.encode(path, use_source_, tos, segment_size);
        msghdr message{};
        message.msg_iov = vectors_.data();
        message.msg_iovlen = vectors;
        head_.fill(message);
        if (::sendmsg(fd, &message, flags | MSG_NOSIGNAL) >= 0) {
            ++counters_.messages;
            return 0;
        }
        const int error = errno;
        if (error == EINTR) continue;
        // With segmentation EINVAL may mean the segment size as well: the single datagrams will tell.
        const bool maybe_source = (error == EINVAL && segment_size == 0) || error == EADDRNOTAVAIL ||
                                  error == ENETUNREACH || error == EHOSTUNREACH || error == ENODEV;
        if (!has_source || !use_source_ || !maybe_source) return error;
        use_source_ = false;
    }
}

} // namespace wgd::io
