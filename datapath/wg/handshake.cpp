// SPDX-License-Identifier: MIT
// Handshake messages in and out (WG 5.4). A message is checked from cheap to dear: length, mac1, under load
// mac2 and the rate limit, then the Diffie-Hellmans; nothing of ours changes before it has proved authentic
// and fresh.
#include "datapath/crypto/x25519.hpp"
#include "datapath/wg/engine_impl.hpp"
#include "datapath/wg/message.hpp"

namespace wgd::wg {
namespace {

ByteView initiation_noise(ByteView message) {
    return message.subspan(kInitiationNoiseOffset, kInitiationNoiseSize);
}
ByteView response_noise(ByteView message) {
    return message.subspan(kResponseNoiseOffset, kResponseNoiseSize);
}

} // namespace

void Engine::Impl::on_handshake(ByteView datagram, const Path& from, std::size_t waiting, Now now,
                                Outbox& out) {
    const auto refuse = [this] { ++counters.handshake_messages_refused; };
    const auto type = classify(datagram);
    if (!type || *type == MessageType::kTransport || !state.up.load() || !identity) return refuse();
    if (*type == MessageType::kCookieReply) {
        if (!on_cookie_reply(datagram, now.mono)) refuse();
        return;
    }

    const bool want_cookie = load.under_load(now.mono);
    const MacState mac = cookie_checker.check(datagram, from.remote, want_cookie, now.mono);
    if (mac == MacState::kInvalid) return refuse();
    load.note(waiting, now.mono);
    if (want_cookie && mac == MacState::kValid) {
        // It may be honest: tell it the cookie and let it come again. Smaller than what it answers.
        cookie_checker.write_reply(out.add(from, 0, nullptr, kCookieReplySize), datagram, from.remote,
                                   now.mono);
        ++counters.cookie_replies_sent;
        return;
    }
    if (want_cookie && !rate_limiter.allow(from.remote.address, now.mono)) return refuse();

    const bool accepted = *type == MessageType::kInitiation ? on_initiation(datagram, from, now, out)
                                                            : on_response(datagram, from, now, out);
    if (!accepted) refuse();
}

bool Engine::Impl::on_initiation(ByteView message, const Path& from, Now now, Outbox& out) {
    auto responder = read_initiation_static(initiation_noise(message), start.clone(), *identity);
    if (!responder) return false;
    Peer* peer = peers.find(responder->remote_static);
    if (!peer || !know_static_static(*peer)) return false;
    Tai64n timestamp;
    if (!read_initiation_payload(*responder, initiation_noise(message), *peer->static_static, timestamp))
        return false;
    if (timestamp <= peer->greatest_timestamp) return false; // a replay
    if (peer->last_initiation_accepted && now.mono - *peer->last_initiation_accepted < kInitiationInterval)
        return false; // a flood

    std::array<std::uint8_t, kResponseSize> response{};
    const auto finished =
        write_response(ByteSpan(response).subspan(kResponseNoiseOffset, kResponseNoiseSize), *responder,
                       crypto::generate_private_key(*random), peer->preshared_key, {});
    if (!finished) return false;

    peer->greatest_timestamp = timestamp;
    peer->last_initiation_accepted = now.mono;
    peer->path.store(from);
    peer->rx_bytes.fetch_add(message.size(), std::memory_order_relaxed);
    state.note_received(*peer, false, now.mono);
    ++counters.initiations_received;

    const std::uint32_t index = state.indices.reserve(*peer, *random);
    write_type(response, MessageType::kResponse);
    store_le<std::uint32_t>(response.data() + 4, index);
    store_le<std::uint32_t>(response.data() + 8, sender_index(message));
    peer->cookies.add_macs(response, peer->public_key, now.mono);
    const ByteSpan sent = out.add(from, kHandshakeTos, peer, response.size());
    std::memcpy(sent.data(), response.data(), response.size());

    settle(*peer, now, out);
    install(*peer, *finished, index, sender_index(message), false, now.mono);
    // Answering counts as a handshake of ours: no initiation crosses the session just made.
    peer->last_initiation_sent = now.mono;
    peer->tx_bytes.fetch_add(response.size(), std::memory_order_relaxed);
    state.note_sent(*peer, false, now.mono);
    ++counters.responses_sent;
    plan(*peer);
    return true;
}

bool Engine::Impl::on_response(ByteView message, const Path& from, Now now, Outbox& out) {
    Peer* peer = state.indices.handshake_peer(response_receiver_index(message));
    if (!peer || !peer->initiation || peer->initiation->local_index != response_receiver_index(message))
        return false;
    const auto finished =
        read_response(response_noise(message), peer->initiation->noise, *identity, peer->preshared_key, {});
    if (!finished) return false;

    peer->path.store(from);
    peer->rx_bytes.fetch_add(message.size(), std::memory_order_relaxed);
    state.note_received(*peer, false, now.mono);
    ++counters.responses_received;

    settle(*peer, now, out);
    const std::uint32_t index = peer->initiation->local_index;
    peer->initiation.reset(); // its keys are zeroed; a second response finds nothing
    install(*peer, *finished, index, sender_index(message), true, now.mono);
    handshake_complete(*peer, now.wall);
    // The responder waits for a sign that we have the keys (WG 5.4.6): what was waiting, or an empty packet.
    if (flush(*peer, now, out) == 0) send_keepalive(*peer, now, out);
    plan(*peer);
    return true;
}

bool Engine::Impl::on_cookie_reply(ByteView message, Instant now) {
    // It says nothing about where the peer is: the endpoint stays. The cookie goes into the next
    // retransmission.
    Peer* peer = state.indices.peer_of(receiver_index(message));
    if (!peer || !peer->cookies.consume_reply(message, peer->public_key, now)) return false;
    ++counters.cookie_replies_received;
    return true;
}

void Engine::Impl::initiate(Peer& peer, bool retry, Now now, Outbox& out) {
    if (!state.up.load() || !identity || peer.removed) return;
    if (!retry || !peer.attempting_since) peer.attempting_since = now.mono;
    if (peer.last_initiation_sent && now.mono - *peer.last_initiation_sent < kRekeyTimeout) return;
    const auto path = peer.path.load();
    if (!path || !know_static_static(peer)) return;

    std::array<std::uint8_t, kInitiationSize> message{};
    const Tai64n timestamp = next_tai64n(now.wall, peer.last_sent_timestamp);
    auto noise = write_initiation(ByteSpan(message).subspan(kInitiationNoiseOffset, kInitiationNoiseSize),
                                  start.clone(), *identity, peer.public_key, *peer.static_static,
                                  crypto::generate_private_key(*random), timestamp);
    if (!noise) return;

    forget_handshake(peer); // an answer to the one before comes too late now
    const std::uint32_t index = state.indices.reserve(peer, *random);
    peer.initiation = std::make_unique<PendingInitiation>(PendingInitiation{std::move(*noise), index});
    peer.last_sent_timestamp = timestamp;
    peer.last_initiation_sent = now.mono;
    write_type(message, MessageType::kInitiation);
    store_le<std::uint32_t>(message.data() + 4, index);
    peer.cookies.add_macs(message, peer.public_key, now.mono);
    const ByteSpan sent = out.add(*path, kHandshakeTos, &peer, message.size());
    std::memcpy(sent.data(), message.data(), message.size());

    peer.tx_bytes.fetch_add(message.size(), std::memory_order_relaxed);
    state.note_sent(peer, false, now.mono);
    peer.retransmit_at = now.mono + kRekeyTimeout + jitter();
    ++counters.initiations_sent;
}

bool Engine::Impl::know_static_static(Peer& peer) {
    if (!peer.static_static) {
        SharedSecret shared;
        if (!crypto::x25519(shared, identity->private_key, peer.public_key))
            return false; // a public key of small order: no handshake, ever
        peer.static_static = std::move(shared);
    }
    return true;
}

} // namespace wgd::wg
