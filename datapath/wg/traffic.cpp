// SPDX-License-Identifier: MIT
// What traffic means for the timers (WG 6.5), as facts left for the control thread. It hears of them only
// when a fact brings up a deadline earlier than its next planned look at the peer; under steady traffic that
// is never.
#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {

void DataPathState::note_sent(Peer& peer, bool data, Instant now) {
    const Stamp stamp = to_stamp(now);
    peer.last_sent.store(stamp, std::memory_order_relaxed);
    // Anything we send is the sign of life we owed.
    if (peer.owed_since.load(std::memory_order_relaxed) != kNoStamp)
        peer.owed_since.store(kNoStamp, std::memory_order_relaxed);
    if (!data || peer.unanswered_since.load(std::memory_order_relaxed) != kNoStamp) return;
    // Sequentially consistent with the control thread, which stores next_look and then reads this again.
    peer.unanswered_since.store(stamp);
    const Stamp deadline = to_stamp(now + kNewHandshakeTime);
    if (peer.next_look.load() > deadline + Stamp{kRekeyTimeoutJitter.count()})
        ask(peer, kTimersChanged, deadline);
}

void DataPathState::note_received(Peer& peer, bool data, Instant now) {
    const Stamp stamp = to_stamp(now);
    peer.last_received.store(stamp, std::memory_order_relaxed);
    // Anything authentic answers what we sent.
    if (peer.unanswered_since.load(std::memory_order_relaxed) != kNoStamp)
        peer.unanswered_since.store(kNoStamp, std::memory_order_relaxed);
    if (!data) return;
    peer.last_data_received.store(stamp, std::memory_order_relaxed);
    if (peer.owed_since.load(std::memory_order_relaxed) != kNoStamp) return;
    peer.owed_since.store(stamp);
    const Stamp deadline = to_stamp(now + kKeepaliveTimeout);
    if (peer.next_look.load() > deadline) ask(peer, kTimersChanged, deadline);
}

} // namespace wgd::wg
