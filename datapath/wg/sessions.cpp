// SPDX-License-Identifier: MIT
// Sessions: the keypairs of a peer (WG 5.4.5, 6.3) and what happens when there is a new one. Only the control
// thread moves them; data threads load `current` and `next` and see one state or the other.
#include "datapath/wg/engine_impl.hpp"

namespace wgd::wg {

void Engine::Impl::install(Peer& peer, const SymmetricState& symmetric, std::uint32_t local,
                           std::uint32_t remote, bool initiator, Instant now) {
    Secret<32> initiator_sends, responder_sends;
    symmetric.split(initiator_sends, responder_sends);
    crypto::AeadKey sending(std::move(initiator ? initiator_sends : responder_sends));
    crypto::AeadKey receiving(std::move(initiator ? responder_sends : initiator_sends));
    auto* keypair =
        new Keypair(peer, std::move(sending), std::move(receiving), local, remote, initiator, now);
    state.indices.promote(*keypair);

    Keypair* current = peer.current.load();
    Keypair* next = peer.next.load();
    if (initiator) {
        // Ours is proven good: use it. What the other side may still be sending in stays for receiving.
        retire(peer.previous);
        peer.previous = next ? next : current;
        peer.current.store(keypair);
        peer.next.store(nullptr);
        if (next) retire(current);
    } else {
        // Theirs is not proven before its first packet. It takes the place of an older one in the same state.
        peer.next.store(keypair);
        retire(next);
        retire(peer.previous);
        peer.previous = nullptr;
    }
    peer.forget_at = now + kForgetTime;
    peer.new_handshake_jitter = jitter();
}

void Engine::Impl::settle(Peer& peer, Now now, Outbox& out) {
    Keypair* next = peer.next.load();
    if (!next || !next->confirmed.load()) return;
    retire(peer.previous);
    peer.previous = peer.current.load();
    peer.current.store(next); // before `next` goes: a sender in between finds the same key in both
    peer.next.store(nullptr);
    handshake_complete(peer, now.wall);
    flush(peer, now, out);
}

void Engine::Impl::retire(Keypair* keypair) {
    if (!keypair) return;
    state.indices.remove(*keypair);
    state.reclaimer.retire(keypair); // zeroed when the last data thread has let go
}

void Engine::Impl::forget_sessions(Peer& peer) {
    retire(peer.current.exchange(nullptr));
    retire(peer.next.exchange(nullptr));
    retire(std::exchange(peer.previous, nullptr));
    peer.forget_at.reset();
}

void Engine::Impl::forget_handshake(Peer& peer) {
    if (peer.initiation) state.indices.release(peer.initiation->local_index);
    peer.initiation.reset();
}

void Engine::Impl::handshake_complete(Peer& peer, WallTime now) {
    peer.latest_handshake = now;
    peer.retransmit_at.reset();
    peer.attempting_since.reset();
    peer.rekey_asked.store(kNoStamp, std::memory_order_relaxed);
    ++counters.handshakes_completed;
}

bool Engine::Impl::has_session(const Peer& peer, Instant now) const {
    const Keypair* keypair = peer.sending_keypair();
    return keypair && keypair->can_send(now);
}

bool Engine::Impl::seal_into(Peer& peer, ByteView packet, Now now, Outbox& out) {
    scratch.resize(kTransportHeaderSize + packet.size() + kSealTailRoom);
    if (!packet.empty()) std::memcpy(scratch.data() + kTransportHeaderSize, packet.data(), packet.size());
    OutPacket sealed{scratch.data(), static_cast<std::uint32_t>(packet.size())};
    const SealResult result = self.seal(peer, {&sealed, 1}, now);
    if (result.sealed == 0) return false;
    const ByteSpan to = out.add(result.path, sealed.tos, &peer, sealed.datagram_size);
    std::memcpy(to.data(), scratch.data(), sealed.datagram_size);
    return true;
}

std::size_t Engine::Impl::flush(Peer& peer, Now now, Outbox& out) {
    if (!has_session(peer, now.mono)) return 0;
    std::size_t sent = 0;
    for (const SecretBytes& packet : state.staging.take(peer)) {
        if (seal_into(peer, packet, now, out))
            ++sent;
        else
            state.staging.push(peer, packet);
    }
    return sent;
}

void Engine::Impl::send_keepalive(Peer& peer, Now now, Outbox& out) {
    if (flush(peer, now, out) == 0 && !seal_into(peer, {}, now, out)) initiate(peer, false, now, out);
}

void Engine::Impl::greet(Peer& peer, Now now, Outbox& out) {
    if (peer.persistent_keepalive == 0) return;
    peer.last_greeting =
        to_stamp(now.mono); // said or not (no key, no endpoint yet): again after the interval
    send_keepalive(peer, now, out);
}

} // namespace wgd::wg
