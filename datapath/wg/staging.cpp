// SPDX-License-Identifier: MIT
#include "datapath/wg/staging.hpp"

#include "datapath/wg/datapath.hpp"
#include "datapath/wg/peer.hpp"

namespace wgd::wg {

std::size_t Staging::push(Peer& peer, ByteView packet) {
    SecretBytes copy(packet.begin(), packet.end());
    const std::lock_guard lock(mutex_);
    if (!peer.staged.packets) peer.staged.packets = std::make_unique<std::deque<SecretBytes>>();
    std::deque<SecretBytes>& queue = *peer.staged.packets;
    std::size_t lost = 0;
    while (!queue.empty() && (queue.size() >= kMaxStagedPackets || bytes_ + copy.size() > kMaxBytes)) {
        bytes_ -= queue.front().size();
        queue.pop_front();
        ++lost;
    }
    if (bytes_ + copy.size() > kMaxBytes) return lost + 1;
    bytes_ += copy.size();
    queue.push_back(std::move(copy));
    return lost;
}

std::vector<SecretBytes> Staging::take(Peer& peer) {
    const std::lock_guard lock(mutex_);
    std::vector<SecretBytes> all;
    if (const auto queue = std::move(peer.staged.packets)) {
        all.assign(std::make_move_iterator(queue->begin()), std::make_move_iterator(queue->end()));
        for (const SecretBytes& packet : all)
            bytes_ -= packet.size();
    }
    return all;
}

void Staging::forget(Peer& peer) {
    (void)take(peer);
}

bool Staging::has(Peer& peer) {
    const std::lock_guard lock(mutex_);
    return peer.staged.packets && !peer.staged.packets->empty();
}

} // namespace wgd::wg
