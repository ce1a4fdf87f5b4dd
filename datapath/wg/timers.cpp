// SPDX-License-Identifier: MIT
// Timers (WG 6). Data threads leave facts (peer.hpp, traffic.cpp); here they become deadlines, and deadlines
// acts.
#include <algorithm>

#include "datapath/wg/engine_impl.hpp"

namespace wgd::wg {
namespace {

// Clears a fact unless a data thread has changed it meanwhile.
void clear(std::atomic<Stamp>& fact, Stamp seen) {
    fact.compare_exchange_strong(seen, kNoStamp);
}

std::optional<Instant> persistent_deadline(const Peer& peer) {
    if (peer.persistent_keepalive == 0) return std::nullopt;
    const Stamp last = std::max({peer.last_sent.load(std::memory_order_relaxed),
                                 peer.last_received.load(std::memory_order_relaxed), peer.last_greeting});
    if (last == kNoStamp)
        return std::nullopt; // never anything: the first greeting is sent when it is configured or the device
                             // comes up
    return from_stamp(last) + std::chrono::seconds(peer.persistent_keepalive);
}

} // namespace

Duration Engine::Impl::jitter() {
    std::array<std::uint8_t, 4> bytes;
    random->fill(bytes);
    return Duration(load_le<std::uint32_t>(bytes.data()) %
                    static_cast<std::uint32_t>(kRekeyTimeoutJitter.count()));
}

// WG 6.3: long after the last session, nothing of it must be left in memory. Comes before anything that may
// begin a new handshake: after a suspend both are due at once.
void Engine::Impl::forget_if_due(Peer& peer, Instant now) {
    if (!peer.forget_at || now < *peer.forget_at) return;
    forget_handshake(peer);
    forget_sessions(peer);
}

// What a data thread asked for.
void Engine::Impl::attend(Peer& peer, std::uint32_t why, Now now, Outbox& out) {
    if (peer.removed || !state.up.load()) return;
    forget_if_due(peer, now.mono);
    if ((why & kConfirmed) != 0) settle(peer, now, out);
    if ((why & kStagedPacket) != 0) {
        if (has_session(peer, now.mono))
            flush(peer, now, out);
        else
            initiate(peer, false, now, out);
    }
    if ((why & kRekeyDue) != 0) initiate(peer, false, now, out);
    plan(peer);
}

void Engine::Impl::look(Peer& peer, Now now, Outbox& out) {
    if (!state.up.load()) return;
    forget_if_due(peer, now.mono);

    // WG 6.4: no answer to our initiation. Again, from another source address if need be, until it is no use.
    if (peer.retransmit_at && now.mono >= *peer.retransmit_at) {
        peer.retransmit_at.reset();
        if (peer.attempting_since && now.mono - *peer.attempting_since >= kRekeyAttemptTime) {
            peer.attempting_since.reset();
            peer.owed_since.store(kNoStamp);
            state.staging.forget(peer);
            if (!peer.forget_at) peer.forget_at = now.mono + kForgetTime;
        } else {
            peer.path.forget_source();
            initiate(peer, true, now, out);
        }
    }

    // WG 6.5: data went out and nothing came back.
    if (const Stamp since = peer.unanswered_since.load();
        since != kNoStamp && now.mono >= from_stamp(since) + kNewHandshakeTime + peer.new_handshake_jitter) {
        clear(peer.unanswered_since, since);
        peer.path.forget_source();
        initiate(peer, false, now, out);
    }

    // WG 6.5: data came in and nothing went back. Should more have come since the first, there is one more to
    // follow.
    if (const Stamp since = peer.owed_since.load();
        since != kNoStamp && now.mono >= from_stamp(since) + kKeepaliveTimeout) {
        const bool more = peer.last_data_received.load(std::memory_order_relaxed) > since;
        clear(peer.owed_since, since);
        send_keepalive(peer, now, out);
        Stamp none = kNoStamp;
        if (more) peer.owed_since.compare_exchange_strong(none, to_stamp(now.mono));
    }

    // Whatever the traffic, a packet every so often, to keep middleboxes remembering.
    if (const auto at = persistent_deadline(peer); at && now.mono >= *at) greet(peer, now, out);

    plan(peer);
}

void Engine::Impl::plan(Peer& peer) {
    if (peer.removed) return;
    for (;;) {
        std::optional<Instant> next;
        const auto consider = [&](std::optional<Instant> at) {
            if (at && (!next || *at < *next)) next = at;
        };
        consider(peer.retransmit_at);
        consider(peer.forget_at);
        consider(persistent_deadline(peer));
        if (const Stamp since = peer.unanswered_since.load(); since != kNoStamp) {
            // The answer will bring up an earlier deadline, that of a keepalive. Looking then anyway spares
            // the data threads asking for it at every question and answer.
            const Instant answered = from_stamp(since) + kKeepaliveTimeout;
            consider(answered > latest ? answered
                                       : from_stamp(since) + kNewHandshakeTime + peer.new_handshake_jitter);
        }
        if (const Stamp since = peer.owed_since.load(); since != kNoStamp)
            consider(from_stamp(since) + kKeepaliveTimeout);

        const Stamp stamp = next ? to_stamp(*next) : kNeverStamp;
        if (peer.next_look.exchange(stamp) == stamp) {
            if (next)
                timers.plan(peer, *next);
            else
                timers.cancel(peer);
            return;
        }
        // Published; a fact that came up while we reckoned is found by reckoning once more.
    }
}

void Engine::Impl::stop_timers(Peer& peer) {
    timers.cancel(peer);
    peer.next_look.store(kNeverStamp);
    peer.retransmit_at.reset();
    peer.last_initiation_sent.reset();
    peer.forget_at.reset();
    peer.attempting_since.reset();
    peer.unanswered_since.store(kNoStamp);
    peer.owed_since.store(kNoStamp);
    peer.last_greeting = kNoStamp;
    peer.last_sent.store(kNoStamp);
    peer.last_received.store(kNoStamp);
}

} // namespace wgd::wg
