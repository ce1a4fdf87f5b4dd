// SPDX-License-Identifier: MIT
#include "datapath/wg/timer_heap.hpp"

namespace wgd::wg {
namespace {
constexpr std::size_t kNowhere = SIZE_MAX;
}

void TimerHeap::plan(Peer& peer, Instant at) {
    if (peer.heap_position == kNowhere) {
        entries_.push_back({at, &peer});
        peer.heap_position = entries_.size() - 1;
    } else {
        entries_[peer.heap_position].at = at;
    }
    sift_up(peer.heap_position);
    sift_down(peer.heap_position);
}

void TimerHeap::cancel(Peer& peer) {
    const std::size_t position = peer.heap_position;
    if (position == kNowhere) return;
    peer.heap_position = kNowhere;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (last.peer == &peer) return;
    put(position, last);
    sift_up(position);
    sift_down(last.peer->heap_position);
}

std::optional<Instant> TimerHeap::earliest() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.front().at;
}

Peer* TimerHeap::pop_due(Instant now) {
    if (entries_.empty() || entries_.front().at > now) return nullptr;
    Peer* peer = entries_.front().peer;
    cancel(*peer);
    return peer;
}

void TimerHeap::put(std::size_t position, Entry entry) {
    entries_[position] = entry;
    entry.peer->heap_position = position;
}

void TimerHeap::sift_up(std::size_t position) {
    const Entry entry = entries_[position];
    while (position > 0 && entry.at < entries_[(position - 1) / 2].at) {
        put(position, entries_[(position - 1) / 2]);
        position = (position - 1) / 2;
    }
    put(position, entry);
}

void TimerHeap::sift_down(std::size_t position) {
    const Entry entry = entries_[position];
    for (;;) {
        std::size_t child = 2 * position + 1;
        if (child >= entries_.size()) break;
        if (child + 1 < entries_.size() && entries_[child + 1].at < entries_[child].at) ++child;
        if (!(entries_[child].at < entry.at)) break;
        put(position, entries_[child]);
        position = child;
    }
    put(position, entry);
}

} // namespace wgd::wg
