// SPDX-License-Identifier: MIT
// AttentionList: peers that a data thread wants the control thread to look at. Data threads push without a
// lock (a Treiber stack that is only ever emptied whole, so that it has no ABA problem); a peer is on it at
// most once.
#pragma once

#include <atomic>
#include <cstdint>

namespace wgd::wg {

class Peer;

// Why; several may be set at once.
enum Attention : std::uint32_t {
    kStagedPacket = 1,  // something waits for a session
    kRekeyDue = 2,      // the session in use is old, or has sent much
    kConfirmed = 4,     // the initiator's first packet arrived in the new session
    kTimersChanged = 8, // a deadline came up that is earlier than the planned look at this peer
};

class AttentionList {
  public:
    void push(Peer& peer, std::uint32_t why); // any thread
    [[nodiscard]] bool empty() const { return head_.load() == nullptr; }

    // Control thread: takes all, calls `look(peer, reasons)` for each, in no particular order.
    template <class Look>
    void drain(Look&& look);

  private:
    std::atomic<Peer*> head_{nullptr};
};

} // namespace wgd::wg
