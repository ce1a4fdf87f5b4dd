// SPDX-License-Identifier: MIT
// IndexTable: our own session indices. Random, so that they tell nothing (WG 5.4.2). Receive threads find the
// keypair of a transport message here; what stands for handshakes under way only the control thread sees.
//
// Open addressing over the (random) index itself; written by the control thread only. A table that fills up
// is replaced by a copy and retired.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "common/base/time.hpp"
#include "datapath/wg/keypair.hpp"
#include "datapath/wg/reclaimer.hpp"

namespace wgd::wg {

class IndexTable {
  public:
    explicit IndexTable(Reclaimer& reclaimer);
    ~IndexTable();
    IndexTable(const IndexTable&) = delete;
    IndexTable& operator=(const IndexTable&) = delete;

    // --- any thread ---
    [[nodiscard]] Keypair* find(std::uint32_t index) const;

    // --- control thread ---
    // An index that nobody has, now standing for a handshake of `peer`.
    [[nodiscard]] std::uint32_t reserve(Peer& peer, Random& random);
    void release(std::uint32_t index); // the handshake came to nothing
    void promote(Keypair& keypair);    // its index, reserved before, is the session's from now on
    void remove(const Keypair& keypair);
    // Whose index it is, in either role; null if nobody's.
    [[nodiscard]] Peer* peer_of(std::uint32_t index) const;
    [[nodiscard]] Peer* handshake_peer(std::uint32_t index) const;

  private:
    struct Table {
        explicit Table(std::size_t size)
            : mask(size - 1)
            , slots(new std::atomic<Keypair*>[size]()) {}
        std::size_t mask;
        std::unique_ptr<std::atomic<Keypair*>[]> slots;
    };
    static Keypair* grave() {
        return reinterpret_cast<Keypair*>(std::uintptr_t{1});
    } // was used; look further
    static void put(Table& table, Keypair& keypair);
    void make_room();

    Reclaimer* reclaimer_;
    std::atomic<Table*> table_;
    std::size_t live_ = 0;
    std::size_t used_ = 0; // live ones and graves
    std::unordered_map<std::uint32_t, Peer*> handshakes_;
};

} // namespace wgd::wg
