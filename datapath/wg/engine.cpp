// SPDX-License-Identifier: MIT
#include "datapath/wg/engine.hpp"

#include "datapath/wg/engine_impl.hpp"

namespace wgd::wg {
namespace {

// How soon to try again to free what data threads may still be looking at.
constexpr Duration kReclaimInterval = 50ms;

std::uint64_t draw_u64(Random& random) {
    std::array<std::uint8_t, 8> bytes;
    random.fill(bytes);
    return load_le<std::uint64_t>(bytes.data());
}

crypto::TableKey draw_table_key(Random& random) {
    crypto::TableKey key;
    random.fill(key);
    return key;
}

SymmetricState wireguard_start() {
    return SymmetricState::start(
        {reinterpret_cast<const std::uint8_t*>(kIdentifier.data()), kIdentifier.size()});
}

} // namespace

Engine::Impl::Impl(EngineEnvironment environment)
    : random(environment.random)
    , data_path(state)
    , self(data_path.attach(*environment.aead))
    , peers(draw_table_key(*environment.random))
    , start(wireguard_start())
    , cookie_checker(*environment.random)
    , rate_limiter(draw_u64(*environment.random)) {
    state.wake = std::move(environment.wake);
}

Engine::Impl::~Impl() {
    for (Peer* peer = peers.first(); peer; peer = peer->newer)
        forget_sessions(*peer);
}

Engine::Engine(EngineEnvironment environment)
    : impl_(std::make_unique<Impl>(std::move(environment))) {}
Engine::~Engine() = default;

DataPath& Engine::data_path() {
    return impl_->data_path;
}
const EngineCounters& Engine::counters() const {
    return impl_->counters;
}
bool Engine::is_up() const {
    return impl_->state.up.load();
}
void Engine::note_listen_port(std::uint16_t port) {
    impl_->listen_port = port;
}
void Engine::set_mtu(unsigned mtu) {
    impl_->state.mtu.store(std::max(mtu, kLeastMtu));
}

void Engine::set_up(bool up, Now now, Outbox& out) {
    Impl& impl = *impl_;
    impl.latest = now.mono;
    if (up == is_up()) return;
    impl.state.up.store(up);
    for (Peer* peer = impl.peers.first(); peer; peer = peer->newer) {
        if (up) {
            impl.greet(*peer, now, out);
            impl.plan(*peer);
        } else {
            impl.forget_handshake(*peer);
            impl.forget_sessions(*peer);
            impl.state.staging.forget(*peer);
            impl.stop_timers(*peer);
        }
    }
}

void Engine::forget_sources() {
    for (Peer* peer = impl_->peers.first(); peer; peer = peer->newer)
        peer->path.forget_source();
}

void Engine::on_handshake(ByteView datagram, const Path& from, std::size_t waiting, Now now, Outbox& out) {
    impl_->latest = now.mono;
    impl_->on_handshake(datagram, from, waiting, now, out);
}

void Engine::service(Now now, Outbox& out) {
    Impl& impl = *impl_;
    impl.latest = now.mono;
    impl.state.woken.store(false); // before the list is looked at: who comes later wakes us again
    // A thread that pushed a peer did so before it was quiescent; so the list is drained between the two
    // steps.
    impl.state.reclaimer.collect();
    impl.state.attention.drain([&](Peer& peer, std::uint32_t why) { impl.attend(peer, why, now, out); });
    impl.state.reclaimer.destroy_doomed();
    while (Peer* peer = impl.timers.pop_due(now.mono))
        impl.look(*peer, now, out);
}

std::optional<Instant> Engine::next_deadline() {
    Impl& impl = *impl_;
    std::optional<Instant> deadline = impl.timers.earliest();
    if (impl.state.reclaimer.pending()) {
        const Instant retry = impl.latest + kReclaimInterval;
        deadline = deadline ? std::min(*deadline, retry) : retry;
    }
    // Published before the list is looked at; a data thread pushes before it reads this. One of us sees the
    // other.
    impl.state.control_deadline.store(deadline ? to_stamp(*deadline) : kNeverStamp);
    if (!impl.state.attention.empty()) return impl.latest;
    return deadline;
}

WgDevice Engine::snapshot() const {
    const Impl& impl = *impl_;
    WgDevice device;
    if (impl.identity) {
        device.private_key = impl.identity->private_key.clone();
        device.public_key = impl.identity->public_key;
    }
    device.listen_port = impl.listen_port;
    device.fwmark = impl.fwmark;
    device.peers.reserve(impl.peers.size());
    for (const Peer* peer = impl.peers.first(); peer; peer = peer->newer) {
        WgPeer& shown = device.peers.emplace_back();
        shown.public_key = peer->public_key;
        shown.preshared_key = peer->preshared_key.clone();
        if (const auto path = peer->path.load()) shown.endpoint = path->remote;
        shown.persistent_keepalive = peer->persistent_keepalive;
        shown.latest_handshake = peer->latest_handshake;
        shown.rx_bytes = peer->rx_bytes.load(std::memory_order_relaxed);
        shown.tx_bytes = peer->tx_bytes.load(std::memory_order_relaxed);
        shown.allowed_ips = peer->allowed_ips.prefixes();
    }
    return device;
}

} // namespace wgd::wg
