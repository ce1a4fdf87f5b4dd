// SPDX-License-Identifier: MIT
// Configuration: a DeviceDelta becomes the device's state. Everything that can be refused is refused by
// check(), before anything changes; what follows cannot fail.
#include <unordered_set>

#include <fmt/format.h>

#include "common/model/limits.hpp"
#include "datapath/wg/engine_impl.hpp"

namespace wgd::wg {

namespace {
constexpr std::size_t kFewPeers = 64;
} // namespace

Result<void> Engine::Impl::check(const DeviceDelta& delta) const {
    const std::size_t kept = delta.replace_peers ? 0 : peers.size();
    if (kept + delta.peers.size() <= kMaxPeers) return {};
    // Perhaps most of them are there already: count for real.
    std::unordered_set<PublicKey, PeerTable::Hasher> keys(0, peers.hasher());
    if (!delta.replace_peers)
        for (const Peer* peer = peers.first(); peer; peer = peer->newer)
            keys.insert(peer->public_key);
    for (const PeerDelta& peer : delta.peers) {
        if (peer.remove)
            keys.erase(peer.public_key);
        else if (!peer.update_only)
            keys.insert(peer.public_key);
        if (keys.size() > kMaxPeers)
            return fail(ErrorCode::kInvalidArgument, fmt::format("more than {} peers", kMaxPeers));
    }
    return {};
}

Result<void> Engine::check(const DeviceDelta& delta) const {
    return impl_->check(delta);
}

Result<void> Engine::apply(DeviceDelta delta, Now now, Outbox& out) {
    Impl& impl = *impl_;
    impl.latest = now.mono;
    WGD_TRY(impl.check(delta));

    if (delta.fwmark && *delta.fwmark != impl.fwmark) {
        impl.fwmark = *delta.fwmark;
        forget_sources(); // another mark may mean another route
    }
    if (delta.listen_port) impl.listen_port = *delta.listen_port;
    if (delta.replace_peers)
        while (Peer* peer = impl.peers.first())
            impl.remove_peer(*peer);
    const bool mute = !impl.identity;
    if (delta.private_key) impl.set_private_key(std::move(*delta.private_key), now.mono);
    impl.peers.reserve(impl.peers.size() + delta.peers.size());
    for (PeerDelta& peer : delta.peers)
        impl.configure_peer(peer, now, out);
    if (mute && impl.identity && is_up()) impl.find_voice(now, out);
    // A few Diffie-Hellmans now, or one at each peer's first handshake: then nobody would like to wait for
    // it.
    if (impl.identity && impl.peers.size() <= kFewPeers)
        for (Peer* peer = impl.peers.first(); peer; peer = peer->newer)
            (void)impl.know_static_static(*peer);
    return {};
}

void Engine::Impl::set_private_key(PrivateKey key, Instant) {
    if (key.is_zero()) {
        identity.reset();
    } else {
        PrivateKey clamped = clamp_private_key(key.expose());
        if (identity && identity->private_key == clamped) return; // nothing changes, sessions live on
        const PublicKey own = derive_public_key(clamped);
        identity = NoiseIdentity{std::move(clamped), own};
        cookie_checker.set_key(own);
        if (Peer* myself = peers.find(own)) remove_peer(*myself);
    }
    // What the others know is another device. They may finish what they were saying; we start anew.
    for (Peer* peer = peers.first(); peer; peer = peer->newer) {
        forget_handshake(*peer);
        peer->retransmit_at.reset();
        peer->last_initiation_sent.reset();
        peer->static_static.reset();
        for (Keypair* keypair : {peer->current.load(), peer->next.load()})
            if (keypair) keypair->may_send.store(false, std::memory_order_relaxed);
    }
}

void Engine::Impl::configure_peer(PeerDelta& delta, Now now, Outbox& out) {
    if (identity && delta.public_key == identity->public_key)
        return; // oneself as a peer: ignored, so that one file may serve all members of a mesh
    Peer* peer = peers.find(delta.public_key);
    if (delta.remove) {
        if (peer) remove_peer(*peer);
        return;
    }
    if (!peer) {
        if (delta.update_only) return;
        peer = &peers.add(delta.public_key);
    }

    if (delta.preshared_key) // from the next handshake on
        peer->preshared_key = std::move(*delta.preshared_key);
    bool known_where = true;
    if (delta.endpoint) {
        const auto path = peer->path.load();
        known_where = path.has_value();
        if (!path || path->remote != *delta.endpoint) peer->path.store(Path{*delta.endpoint, {}, 0});
    }

    const auto is_removal = [](const AllowedIpDelta& change) { return change.remove; };
    if (delta.replace_allowed_ips &&
        std::none_of(delta.allowed_ips.begin(), delta.allowed_ips.end(), is_removal)) {
        std::vector<IpPrefix> prefixes;
        prefixes.reserve(delta.allowed_ips.size());
        for (const AllowedIpDelta& change : delta.allowed_ips)
            prefixes.push_back(change.prefix);
        state.allowed_ips.replace_all(*peer, prefixes);
    } else {
        if (delta.replace_allowed_ips) state.allowed_ips.remove_all(*peer);
        for (const AllowedIpDelta& change : delta.allowed_ips)
            if (change.remove)
                state.allowed_ips.remove(change.prefix, *peer);
            else
                state.allowed_ips.insert(change.prefix, *peer);
    }

    bool greeting_due = !known_where; // greet() looks whether there is anything to say
    if (delta.persistent_keepalive) {
        greeting_due = greeting_due || peer->persistent_keepalive == 0;
        peer->persistent_keepalive = *delta.persistent_keepalive;
    }
    if (!state.up.load()) return;
    if (greeting_due) greet(*peer, now, out);
    if (state.staging.has(*peer)) attend(*peer, kStagedPacket, now, out); // perhaps it can go now
    plan(*peer);
}

// What could not be said before: who has waited for a key or an endpoint of ours need not wait for more.
void Engine::Impl::find_voice(Now now, Outbox& out) {
    for (Peer* peer = peers.first(); peer; peer = peer->newer) {
        greet(*peer, now, out);
        if (state.staging.has(*peer)) attend(*peer, kStagedPacket, now, out);
        plan(*peer);
    }
}

void Engine::Impl::remove_peer(Peer& peer) {
    peers.remove(peer);
    state.allowed_ips.remove_all(peer);
    forget_handshake(peer);
    forget_sessions(peer);
    state.staging.forget(peer);
    timers.cancel(peer);
    state.reclaimer.retire(&peer);
}

} // namespace wgd::wg
