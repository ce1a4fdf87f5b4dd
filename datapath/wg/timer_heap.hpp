// SPDX-License-Identifier: MIT
// TimerHeap: when to look at which peer next. One entry per peer, in a binary heap that knows its positions,
// so that planning again costs O(log peers) and no memory.
#pragma once

#include <optional>
#include <vector>

#include "datapath/wg/peer.hpp"

namespace wgd::wg {

class TimerHeap {
  public:
    void plan(Peer& peer, Instant at); // replaces an earlier plan
    void cancel(Peer& peer);
    [[nodiscard]] std::optional<Instant> earliest() const;
    // Takes out a peer whose time has come, the earliest first; null if none has.
    [[nodiscard]] Peer* pop_due(Instant now);

  private:
    struct Entry {
        Instant at;
        Peer* peer;
    };
    void put(std::size_t position, Entry entry);
    void sift_up(std::size_t position);
    void sift_down(std::size_t position);

    std::vector<Entry> entries_;
};

} // namespace wgd::wg
