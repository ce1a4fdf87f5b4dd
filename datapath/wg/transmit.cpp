// SPDX-License-Identifier: MIT
// Sealing (WG 5.4.6). One peer's packets at a time, in bursts of one key.
#include <algorithm>
#include <array>

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/inner_packet.hpp"
#include "datapath/wg/message.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {
namespace {

constexpr std::size_t kBurst = 64;

// Up to the next multiple of 16, but never past the MTU. A super-packet's segment cannot be longer than the
// MTU; should one be, its last MTU's worth is what counts.
std::uint32_t padded(std::uint32_t size, std::uint32_t mtu) {
    const std::uint32_t last = size > mtu ? size % mtu : size;
    const std::uint32_t rounded = (last + kPaddingUnit - 1) / kPaddingUnit * kPaddingUnit;
    return size - last + std::max(last, std::min(rounded, mtu));
}

// Writes header and padding; what is then to be sealed.
crypto::AeadPacket prepare(OutPacket& packet, std::uint32_t receiver, std::uint64_t counter,
                           std::uint32_t mtu) {
    std::uint8_t* inner = packet.buffer + kTransportHeaderSize;
    packet.tos = outer_tos({inner, packet.inner_size});
    const std::uint32_t size = padded(packet.inner_size, mtu);
    std::memset(inner + packet.inner_size, 0, size - packet.inner_size);
    write_transport_header(packet.buffer, receiver, counter);
    packet.datagram_size = size + static_cast<std::uint32_t>(kTransportOverhead);
    return {inner, inner, size, false, counter};
}

bool rekey_due(const Keypair& keypair, std::uint64_t sent, Instant now) {
    return sent > kRekeyAfterMessages || (keypair.initiator && now - keypair.birth >= kRekeyAfterTime);
}

} // namespace

SealResult DataThread::seal(Peer& peer, std::span<OutPacket> packets, Now now) {
    SealResult result;
    if (!state_->up.load(std::memory_order_relaxed)) {
        result.status = SealStatus::kDown;
        return result;
    }
    const auto path = peer.path.load();
    if (!path) {
        result.status = SealStatus::kNoEndpoint;
        return result;
    }
    Keypair* keypair = peer.sending_keypair();
    if (!keypair || !keypair->can_send(now.mono)) {
        result.status = SealStatus::kNoSession;
        return result;
    }

    // Counters are taken before the limit is known to hold. Threads that race past it together overshoot by
    // less than the 2^13 that the limit leaves, so none is ever used twice.
    const std::uint64_t first = keypair->send_counter.fetch_add(packets.size(), std::memory_order_relaxed);
    const std::uint64_t left = first < kRejectAfterMessages ? kRejectAfterMessages - first : 0;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(packets.size(), left));

    const std::uint32_t mtu = state_->mtu.load(std::memory_order_relaxed);
    std::uint64_t bytes = 0;
    bool data = false;
    std::array<crypto::AeadPacket, kBurst> burst;
    for (std::size_t done = 0; done < count;) {
        const std::size_t size = std::min(kBurst, count - done);
        for (std::size_t i = 0; i < size; ++i) {
            OutPacket& packet = packets[done + i];
            burst[i] = prepare(packet, keypair->remote_index, first + done + i, mtu);
            bytes += packet.datagram_size;
            data = data || packet.inner_size != 0;
        }
        aead_->seal(keypair->sending_key, {burst.data(), size});
        done += size;
    }
    if (count == 0) {
        result.status = SealStatus::kNoSession;
        return result;
    }

    peer.tx_bytes.fetch_add(bytes, std::memory_order_relaxed);
    state_->note_sent(peer, data, now.mono);
    if (rekey_due(*keypair, first + count, now.mono)) {
        // Asked again only after a while: the control thread may be busy trying.
        const Stamp asked = peer.rekey_asked.load(std::memory_order_relaxed);
        if (asked == kNoStamp || now.mono - from_stamp(asked) >= kRekeyTimeout) {
            peer.rekey_asked.store(to_stamp(now.mono), std::memory_order_relaxed);
            state_->ask(peer, kRekeyDue);
        }
    }
    result.status = SealStatus::kSealed;
    result.sealed = count;
    result.path = *path;
    return result;
}

} // namespace wgd::wg
