// SPDX-License-Identifier: MIT
// Keypair: one session's transport keys (WG 5.4.5) and what goes with them: counters, replay window, age.
#pragma once

#include <atomic>
#include <cstdint>

#include "datapath/crypto/aead.hpp"
#include "datapath/wg/protocol.hpp"
#include "datapath/wg/replay_window.hpp"

namespace wgd::wg {

class Peer;

struct Keypair {
    Keypair(Peer& of, crypto::AeadKey sending, crypto::AeadKey receiving, std::uint32_t local,
            std::uint32_t remote, bool initiated, Instant now)
        : peer(&of)
        , sending_key(std::move(sending))
        , receiving_key(std::move(receiving))
        , local_index(local)
        , remote_index(remote)
        , initiator(initiated)
        , birth(now)
        , confirmed(initiated) {}

    Peer* const peer;
    const crypto::AeadKey sending_key;
    const crypto::AeadKey receiving_key;
    const std::uint32_t local_index;  // the receiver index of what comes in
    const std::uint32_t remote_index; // the receiver index of what goes out
    const bool initiator;
    const Instant birth;

    // A responder may not send before the initiator has shown, by a packet, that it has the keys (WG 5.4.6).
    std::atomic<bool> confirmed;
    // Cleared when the device's key changes: what is under way may still arrive, nothing new is sent.
    std::atomic<bool> may_send{true};
    std::atomic<bool> last_minute_asked{false}; // the receiver asked for a new handshake once already

    alignas(64) std::atomic<std::uint64_t> send_counter{0};
    alignas(64) ReplayWindow window;

    [[nodiscard]] bool can_send(Instant now) const {
        return may_send.load(std::memory_order_relaxed) && now - birth < kRejectAfterTime &&
               send_counter.load(std::memory_order_relaxed) < kRejectAfterMessages;
    }
    [[nodiscard]] bool can_receive(Instant now) const { return now - birth < kRejectAfterTime; }
};

} // namespace wgd::wg
