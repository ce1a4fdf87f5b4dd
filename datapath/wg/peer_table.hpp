// SPDX-License-Identifier: MIT
// PeerTable: the peers by public key, and in the order they were added, which is the order they are listed
// in.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "datapath/crypto/hash.hpp"
#include "datapath/wg/peer.hpp"

namespace wgd::wg {

class PeerTable {
  public:
    struct Hasher {
        crypto::TableKey key;
        std::size_t operator()(const PublicKey& peer) const noexcept {
            return crypto::table_hash(key, peer.bytes());
        }
    };

    // `key` is of the hash table: whoever registers at a provider chooses what is in it.
    explicit PeerTable(const crypto::TableKey& key)
        : by_key_(0, Hasher{key}) {}
    ~PeerTable();
    PeerTable(const PeerTable&) = delete;
    PeerTable& operator=(const PeerTable&) = delete;

    [[nodiscard]] Peer* find(const PublicKey& key) const;
    Peer& add(const PublicKey& key); // which must not be there
    void remove(Peer& peer);         // does not destroy it: that is the Reclaimer's to do
    void reserve(std::size_t peers) { by_key_.reserve(peers); }
    [[nodiscard]] std::size_t size() const { return by_key_.size(); }
    [[nodiscard]] Hasher hasher() const { return by_key_.hash_function(); }
    [[nodiscard]] Peer* first() const { return first_; } // then ->newer

  private:
    std::unordered_map<PublicKey, Peer*, Hasher> by_key_;
    Peer* first_ = nullptr;
    Peer* last_ = nullptr;
};

} // namespace wgd::wg
