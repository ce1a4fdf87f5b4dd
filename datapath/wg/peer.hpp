// SPDX-License-Identifier: MIT
// Peer: everything about one. The first half is shared with the data threads (atomics only), the second
// belongs to the control thread. Idle, without session and handshake, it is well under 1 KiB.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "common/model/device.hpp"
#include "datapath/wg/allowed_ips.hpp"
#include "datapath/wg/attention.hpp"
#include "datapath/wg/cookie.hpp"
#include "datapath/wg/keypair.hpp"
#include "datapath/wg/noise.hpp"
#include "datapath/wg/shared_path.hpp"
#include "datapath/wg/staging.hpp"
#include "datapath/wg/tai64n.hpp"

namespace wgd::wg {

// An Instant in an atomic. 0 stands for "not".
using Stamp = std::int64_t;
inline constexpr Stamp kNoStamp = 0;
inline constexpr Stamp kNeverStamp = INT64_MAX;
[[nodiscard]] inline Stamp to_stamp(Instant at) {
    const Stamp stamp = at.time_since_epoch().count();
    return stamp == kNoStamp ? 1 : stamp;
}
[[nodiscard]] inline Instant from_stamp(Stamp stamp) {
    return Instant(Duration(stamp));
}

// An initiation of ours that waits for its answer.
struct PendingInitiation {
    NoiseInitiator noise;
    std::uint32_t local_index = 0;
};

class Peer {
  public:
    explicit Peer(const PublicKey& key)
        : public_key(key) {}
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    const PublicKey public_key;

    // --- shared: mostly read ---
    SharedPath path;
    // Set by the control thread only. `next` is a responder's session that awaits its first packet; once that
    // has come (confirmed) it is the one to send with, even before the control thread has moved it to
    // `current`.
    std::atomic<Keypair*> current{nullptr};
    std::atomic<Keypair*> next{nullptr};

    [[nodiscard]] Keypair* sending_keypair() const {
        if (Keypair* pending = next.load(); pending && pending->confirmed.load()) return pending;
        return current.load();
    }

    // --- shared: facts of traffic (WG 6.5), written by data threads ---
    // When data was first sent since anything authentic came back; kNoStamp if nothing is unanswered.
    std::atomic<Stamp> unanswered_since{kNoStamp};
    // When data was first received since we last sent anything: that is when we began to owe a sign of life.
    std::atomic<Stamp> owed_since{kNoStamp};
    std::atomic<Stamp> last_data_received{kNoStamp};
    std::atomic<Stamp> last_sent{kNoStamp};     // anything authentic, that way
    std::atomic<Stamp> last_received{kNoStamp}; // and this way
    std::atomic<Stamp> rekey_asked{kNoStamp};   // when a data thread last pushed kRekeyDue
    // When the control thread will next look at this peer's timers by itself.
    std::atomic<Stamp> next_look{kNeverStamp};
    std::atomic<std::uint64_t> tx_bytes{0};
    std::atomic<std::uint64_t> rx_bytes{0};

    // --- shared: the attention list's ---
    std::atomic<std::uint32_t> attention{0};
    Peer* attention_next = nullptr; // written by who pushed, read by who drains

    // --- control thread only ---
    PresharedKey preshared_key;
    std::optional<SharedSecret> static_static; // DH of both static keys, computed at the first handshake
    std::uint16_t persistent_keepalive = 0;    // seconds
    AllowedIpList allowed_ips;
    StagedQueue staged; // under Staging's mutex

    Keypair* previous = nullptr; // still receives
    std::unique_ptr<PendingInitiation> initiation;
    CookieKeeper cookies;
    Tai64n last_sent_timestamp{};
    Tai64n greatest_timestamp{}; // of the initiations accepted from it
    std::optional<Instant> last_initiation_accepted;
    std::optional<Instant> last_initiation_sent;
    WallTime latest_handshake{};

    std::optional<Instant> attempting_since; // the first of a row of initiations without an answer
    Stamp last_greeting = kNoStamp;          // when a persistent keepalive was last due
    std::optional<Instant> retransmit_at;
    std::optional<Instant> forget_at;
    Duration new_handshake_jitter{};
    std::size_t heap_position = SIZE_MAX; // in the Timers
    bool removed = false;

    // In the order they were added (PeerTable).
    Peer* older = nullptr;
    Peer* newer = nullptr;
};

inline void AttentionList::push(Peer& peer, std::uint32_t why) {
    if (peer.attention.fetch_or(why) != 0)
        return; // on the list already; whoever takes it off sees the new reason
    Peer* head = head_.load();
    do {
        peer.attention_next = head;
    } while (!head_.compare_exchange_weak(head, &peer));
}

template <class Look>
void AttentionList::drain(Look&& look) {
    Peer* peer = head_.exchange(nullptr);
    while (peer) {
        Peer* following = peer->attention_next; // before the reasons are cleared: then it may be pushed again
        const std::uint32_t why = peer->attention.exchange(0);
        look(*peer, why);
        peer = following;
    }
}

} // namespace wgd::wg
