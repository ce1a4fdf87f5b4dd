// SPDX-License-Identifier: MIT
// Engine::Impl: the control side's state. Its functions are in engine.cpp (up, down, snapshot, service),
// configuration.cpp (apply), handshake.cpp (messages 1 to 3), sessions.cpp (keypairs and what follows from a
// new one) and timers.cpp (what is due).
#pragma once

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/engine.hpp"
#include "datapath/wg/load_meter.hpp"
#include "datapath/wg/noise.hpp"
#include "datapath/wg/peer_table.hpp"
#include "datapath/wg/rate_limiter.hpp"
#include "datapath/wg/timer_heap.hpp"

namespace wgd::wg {

struct Engine::Impl {
    explicit Impl(EngineEnvironment environment);
    ~Impl();

    // --- configuration.cpp ---
    [[nodiscard]] Result<void> check(const DeviceDelta& delta) const;
    void set_private_key(PrivateKey key, Instant now);
    void configure_peer(PeerDelta& delta, Now now, Outbox& out);
    void remove_peer(Peer& peer);
    void find_voice(Now now, Outbox& out); // the first private key

    // --- handshake.cpp ---
    void on_handshake(ByteView datagram, const Path& from, std::size_t waiting, Now now, Outbox& out);
    [[nodiscard]] bool on_initiation(ByteView message, const Path& from, Now now, Outbox& out);
    [[nodiscard]] bool on_response(ByteView message, const Path& from, Now now, Outbox& out);
    [[nodiscard]] bool on_cookie_reply(ByteView message, Instant now);
    // Sends an initiation, unless one went out less than REKEY_TIMEOUT ago. `retry`: for the same purpose as
    // the one before, so that the time to give up keeps running.
    void initiate(Peer& peer, bool retry, Now now, Outbox& out);
    [[nodiscard]] bool know_static_static(Peer& peer);

    // --- sessions.cpp ---
    void install(Peer& peer, const SymmetricState& state, std::uint32_t local, std::uint32_t remote,
                 bool initiator, Instant now);
    void settle(Peer& peer, Now now, Outbox& out); // a confirmed `next` becomes current
    void retire(Keypair* keypair);
    void forget_sessions(Peer& peer);
    void forget_handshake(Peer& peer);
    void handshake_complete(Peer& peer, WallTime now);
    [[nodiscard]] bool has_session(const Peer& peer, Instant now) const;
    // Staged packets in the session there is; returns how many went.
    std::size_t flush(Peer& peer, Now now, Outbox& out);
    void send_keepalive(Peer& peer, Now now, Outbox& out); // or, without a session, an initiation
    void greet(Peer& peer, Now now, Outbox& out);          // a persistent keepalive, if the peer has one
    [[nodiscard]] bool seal_into(Peer& peer, ByteView packet, Now now, Outbox& out);

    // --- timers.cpp ---
    void attend(Peer& peer, std::uint32_t why, Now now, Outbox& out);
    void forget_if_due(Peer& peer, Instant now);
    void look(Peer& peer, Now now, Outbox& out); // does what is due, plans the next look
    void plan(Peer& peer);
    void stop_timers(Peer& peer);
    [[nodiscard]] Duration jitter();

    Random* random;
    DataPathState state;
    DataPath data_path;
    DataThread self; // the control thread's own seals; never online: it frees nothing while it looks
    PeerTable peers;
    TimerHeap timers;

    std::optional<NoiseIdentity> identity; // none: no private key
    const SymmetricState start;            // of every handshake
    CookieChecker cookie_checker;
    RateLimiter rate_limiter;
    LoadMeter load;

    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0;
    EngineCounters counters;
    Instant latest{};    // the last time we were told
    SecretBytes scratch; // plaintext on its way to be sealed
};

} // namespace wgd::wg
