// SPDX-License-Identifier: MIT
#include "datapath/wg/peer_table.hpp"

namespace wgd::wg {

PeerTable::~PeerTable() {
    for (Peer* peer = first_; peer;) {
        Peer* newer = peer->newer;
        delete peer;
        peer = newer;
    }
}

Peer* PeerTable::find(const PublicKey& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
}

Peer& PeerTable::add(const PublicKey& key) {
    auto peer = std::make_unique<Peer>(key);
    by_key_.emplace(key, peer.get());
    peer->older = last_;
    (last_ ? last_->newer : first_) = peer.get();
    last_ = peer.get();
    return *peer.release();
}

void PeerTable::remove(Peer& peer) {
    by_key_.erase(peer.public_key);
    (peer.older ? peer.older->newer : first_) = peer.newer;
    (peer.newer ? peer.newer->older : last_) = peer.older;
    peer.older = peer.newer = nullptr;
    peer.removed = true;
}

} // namespace wgd::wg
