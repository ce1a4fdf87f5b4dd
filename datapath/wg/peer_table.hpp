// SPDX-License-Identifier: MIT
// PeerTable: the peers by public key, and in the order they were added, which is the order they are listed
// in.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "datapath/wg/peer.hpp"

namespace wgd::wg {

class PeerTable {
  public:
    PeerTable() = default;
    ~PeerTable();
    PeerTable(const PeerTable&) = delete;
    PeerTable& operator=(const PeerTable&) = delete;

    [[nodiscard]] Peer* find(const PublicKey& key) const;
    Peer& add(const PublicKey& key); // which must not be there
    void remove(Peer& peer);         // does not destroy it: that is the Reclaimer's to do
    void reserve(std::size_t peers) { by_key_.reserve(peers); }
    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    [[nodiscard]] Peer* first() const { return first_; } // then ->newer

  private:
    std::unordered_map<PublicKey, Peer*> by_key_;
    Peer* first_ = nullptr;
    Peer* last_ = nullptr;
};

} // namespace wgd::wg
