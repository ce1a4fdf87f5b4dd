// SPDX-License-Identifier: MIT
#include "datapath/wg/datapath.hpp"

#include <utility>

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/inner_packet.hpp"

namespace wgd::wg {

std::string_view to_string(Drop drop) {
    switch (drop) {
    case Drop::kNone:
        return "none";
    case Drop::kMalformed:
        return "malformed";
    case Drop::kUnknownSession:
        return "unknown-session";
    case Drop::kExpired:
        return "expired";
    case Drop::kForged:
        return "forged";
    case Drop::kReplayed:
        return "replayed";
    case Drop::kBadInner:
        return "bad-inner";
    case Drop::kBadSource:
        return "bad-source";
    case Drop::kBadEcn:
        return "bad-ecn";
    case Drop::kDown:
        return "down";
    case Drop::kNoRoute:
        return "no-route";
    case Drop::kNoEndpoint:
        return "no-endpoint";
    case Drop::kStagingFull:
        return "staging-full";
    case Drop::kCount:
        break;
    }
    return "unknown";
}

DataThread DataPath::attach(crypto::Aead& aead) {
    return {*state_, aead};
}

std::uint64_t DataPath::drops(Drop reason) const {
    return state_->drops[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
}

DataThread::DataThread(DataPathState& state, crypto::Aead& aead)
    : state_(&state)
    , aead_(&aead)
    , slot_(state.reclaimer.enter()) {}

DataThread::DataThread(DataThread&& other) noexcept
    : state_(other.state_)
    , aead_(other.aead_)
    , slot_(std::exchange(other.slot_, nullptr)) {}

DataThread::~DataThread() {
    if (slot_) state_->reclaimer.leave(slot_);
}

void DataThread::quiescent() {
    state_->reclaimer.quiescent(*slot_);
}
void DataThread::offline() {
    Reclaimer::offline(*slot_);
}
void DataThread::online() {
    state_->reclaimer.online(*slot_);
}

Peer* DataThread::route(ByteView inner_packet) const {
    // Of a super-packet only the header is looked at; its length may be anything.
    if (inner_packet.size() >= kIpv4HeaderSize && (inner_packet[0] >> 4) == 4)
        return state_->allowed_ips.lookup_v4(inner_packet.data() + 16);
    if (inner_packet.size() >= kIpv6HeaderSize && (inner_packet[0] >> 4) == 6)
        return state_->allowed_ips.lookup_v6(inner_packet.data() + 24);
    return nullptr;
}

Peer* DataThread::route(Family family, const std::uint8_t* destination) const {
    return family == Family::kIpv4 ? state_->allowed_ips.lookup_v4(destination)
                                   : state_->allowed_ips.lookup_v6(destination);
}

void DataThread::stage(Peer& peer, ByteView inner_packet, Now) {
    if (!state_->up.load(std::memory_order_relaxed)) {
        state_->count(Drop::kDown);
        return;
    }
    state_->count(Drop::kStagingFull, state_->staging.push(peer, inner_packet));
    state_->ask(peer, kStagedPacket);
}

void DataThread::forget_source(Peer& peer) {
    peer.path.forget_source();
}

} // namespace wgd::wg
