// SPDX-License-Identifier: MIT
// Opening (WG 5.4.6). A batch is cut into runs of one receiver index; a run is opened as a burst, then judged
// packet by packet in order. Nothing that is not authentic leaves a trace but a counter of drops.
#include <algorithm>
#include <array>

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/inner_packet.hpp"
#include "datapath/wg/message.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {
namespace {

constexpr std::size_t kBurst = 64;

bool is_transport(const InPacket& packet) {
    return packet.size >= kMinTransportSize &&
           load_le<std::uint32_t>(packet.data) == static_cast<std::uint32_t>(MessageType::kTransport);
}

void drop(InPacket& packet, Drop reason) {
    packet.outcome = Outcome::kDropped;
    packet.drop = reason;
}

// The inner source must route to the peer it came from. Packets that follow one another mostly have the same
// source, so the last answer is kept.
class SourceCheck {
  public:
    SourceCheck(const AllowedIps& table, const Peer& peer)
        : table_(table)
        , peer_(peer) {}
    bool operator()(const InnerPacket& inner) {
        const std::size_t size = inner.family == Family::kIpv4 ? 4 : 16;
        if (size == size_ && std::memcmp(source_.data(), inner.source, size) == 0) return allowed_;
        std::memcpy(source_.data(), inner.source, size);
        size_ = size;
        allowed_ = (size == 4 ? table_.lookup_v4(inner.source) : table_.lookup_v6(inner.source)) == &peer_;
        return allowed_;
    }

  private:
    const AllowedIps& table_;
    const Peer& peer_;
    std::array<std::uint8_t, 16> source_{};
    std::size_t size_ = 0;
    bool allowed_ = false;
};

// What becomes of an authentic packet that is no replay.
void judge_inner(InPacket& packet, std::uint32_t size, SourceCheck& source_is_allowed) {
    const ByteSpan plaintext(packet.data + kTransportHeaderSize, size);
    if (plaintext.empty()) {
        packet.outcome = Outcome::kKeepalive;
        return;
    }
    const auto inner = parse_inner(plaintext);
    if (!inner) return drop(packet, Drop::kBadInner);
    if (!source_is_allowed(*inner)) return drop(packet, Drop::kBadSource);
    if (!decapsulate_ecn(plaintext, packet.tos)) return drop(packet, Drop::kBadEcn);
    packet.outcome = Outcome::kDeliver;
    packet.inner = plaintext.data();
    packet.inner_size = inner->size; // the padding stays behind
}

// Facts about a run, for what is done once per run.
struct Accepted {
    std::uint64_t bytes = 0;
    bool data = false;
    const Path* from = nullptr; // of the last one
};

void after_run(DataPathState& state, Keypair& keypair, const Accepted& accepted, Instant now) {
    Peer& peer = *keypair.peer;
    peer.rx_bytes.fetch_add(accepted.bytes, std::memory_order_relaxed);

    if (!keypair.confirmed.load(std::memory_order_relaxed) && !keypair.confirmed.exchange(true))
        state.ask(peer, kConfirmed);

    // Roaming (WG 2.1): an authentic packet says where its sender is.
    if (accepted.from && peer.path.load() != *accepted.from) peer.path.try_store(*accepted.from);

    state.note_received(peer, accepted.data, now);

    if (keypair.initiator && now - keypair.birth >= kLastMinuteTime && peer.current.load() == &keypair &&
        !keypair.last_minute_asked.exchange(true, std::memory_order_relaxed))
        state.ask(peer, kRekeyDue);
}

void open_run(DataPathState& state, crypto::Aead& aead, std::span<InPacket> run, Instant now) {
    Keypair* keypair = state.indices.find(receiver_index({run[0].data, run[0].size}));
    if (!keypair || !keypair->can_receive(now)) {
        for (InPacket& packet : run)
            drop(packet, keypair ? Drop::kExpired : Drop::kUnknownSession);
        return;
    }

    std::array<crypto::AeadPacket, kBurst> burst;
    std::array<InPacket*, kBurst> opened;
    std::size_t count = 0;
    for (InPacket& packet : run) {
        const auto counter = load_le<std::uint64_t>(packet.data + 8);
        if (counter >= kRejectAfterMessages) {
            drop(packet, Drop::kExpired);
            continue;
        }
        std::uint8_t* sealed = packet.data + kTransportHeaderSize;
        burst[count] = {sealed, sealed, packet.size - static_cast<std::uint32_t>(kTransportOverhead), false,
                        counter};
        opened[count++] = &packet;
    }
    aead.open(keypair->receiving_key, {burst.data(), count});

    Accepted accepted;
    bool any = false;
    SourceCheck source_is_allowed(state.allowed_ips, *keypair->peer);
    for (std::size_t i = 0; i < count; ++i) {
        InPacket& packet = *opened[i];
        if (!burst[i].authentic) {
            drop(packet, Drop::kForged);
        } else if (!keypair->window.accept(burst[i].counter)) {
            drop(packet, Drop::kReplayed);
        } else {
            any = true;
            accepted.bytes += packet.size;
            accepted.data = accepted.data || burst[i].length != 0;
            if (packet.from) accepted.from = packet.from;
            judge_inner(packet, burst[i].length, source_is_allowed);
        }
    }
    if (any) after_run(state, *keypair, accepted, now);
}

} // namespace

void DataThread::open(std::span<InPacket> packets, Now now) {
    const bool up = state_->up.load(std::memory_order_relaxed);
    for (std::size_t at = 0; at < packets.size();) {
        InPacket& packet = packets[at];
        packet.drop = Drop::kNone;
        packet.inner = nullptr;
        packet.inner_size = 0;
        if (!up) {
            drop(packet, Drop::kDown);
            ++at;
            continue;
        }
        if (!is_transport(packet)) {
            if (classify({packet.data, packet.size}))
                packet.outcome = Outcome::kHandshake;
            else
                drop(packet, Drop::kMalformed);
            ++at;
            continue;
        }
        const std::uint32_t index = receiver_index({packet.data, packet.size});
        std::size_t end = at + 1;
        while (end < packets.size() && end - at < kBurst && is_transport(packets[end]) &&
               receiver_index({packets[end].data, packets[end].size}) == index)
            ++end;
        for (std::size_t i = at + 1; i < end; ++i) {
            packets[i].drop = Drop::kNone;
            packets[i].inner = nullptr;
            packets[i].inner_size = 0;
        }
        open_run(*state_, *aead_, packets.subspan(at, end - at), now.mono);
        at = end;
    }
    for (const InPacket& packet : packets)
        if (packet.outcome == Outcome::kDropped) state_->count(packet.drop);
}

} // namespace wgd::wg
