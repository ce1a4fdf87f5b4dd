// SPDX-License-Identifier: MIT
// HostTable: the /32s or /128s among the allowed IPs, in a hash table of their own. They are most of what a
// large device has, and the longest match there can be: two cache misses instead of a walk down the trie.
//
// Open addressing; read by any thread, written by the control thread. A full table is replaced and retired,
// and so are nodes that leave.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "datapath/wg/reclaimer.hpp"

namespace wgd::wg::allowed_ips_detail {

// Node has `key` (comparable), and hash(key) is found by lookup of arguments.
template <class Key, class Node>
class HostTable {
  public:
    HostTable()
        : table_(new Table(kFirstSize)) {}
    ~HostTable() {
        Table* table = table_.load();
        for (std::size_t at = 0; at <= table->mask; ++at)
            if (Node* node = table->slots[at].load(); node && node != grave()) delete node;
        delete table;
    }
    HostTable(const HostTable&) = delete;
    HostTable& operator=(const HostTable&) = delete;

    [[nodiscard]] Node* find(const Key& key) const {
        const Table* table = table_.load();
        for (std::size_t at = hash(key) & table->mask;; at = (at + 1) & table->mask) {
            Node* node = table->slots[at].load();
            if (!node) return nullptr; // there always is an empty slot
            if (node != grave() && node->key == key) return node;
        }
    }
    // The key must not be there. Takes ownership.
    void insert(Node* node, Reclaimer& reclaimer) {
        make_room(reclaimer);
        put(*table_.load(), node);
        ++live_;
        ++used_;
    }
    void remove(Node* node, Reclaimer& reclaimer) {
        Table* table = table_.load();
        std::size_t at = hash(node->key) & table->mask;
        while (table->slots[at].load() != node)
            at = (at + 1) & table->mask;
        table->slots[at].store(grave());
        --live_;
        reclaimer.retire(node);
    }

  private:
    static constexpr std::size_t kFirstSize = 8;
    struct Table {
        explicit Table(std::size_t size)
            : mask(size - 1)
            , slots(new std::atomic<Node*>[size]()) {}
        std::size_t mask;
        std::unique_ptr<std::atomic<Node*>[]> slots;
    };
    static Node* grave() { return reinterpret_cast<Node*>(std::uintptr_t{1}); } // was used; look further

    static void put(Table& table, Node* node) {
        std::size_t at = hash(node->key) & table.mask;
        while (table.slots[at].load(std::memory_order_relaxed) != nullptr)
            at = (at + 1) & table.mask;
        table.slots[at].store(node);
    }
    void make_room(Reclaimer& reclaimer) {
        Table* old = table_.load();
        if ((used_ + 1) * 2 <= old->mask + 1) return;
        std::size_t wanted = kFirstSize;
        while (wanted < (live_ + 1) * 4)
            wanted *= 2;
        auto* table = new Table(wanted);
        for (std::size_t at = 0; at <= old->mask; ++at)
            if (Node* node = old->slots[at].load(); node && node != grave()) put(*table, node);
        used_ = live_;
        table_.store(table);
        reclaimer.retire(old);
    }

    std::atomic<Table*> table_;
    std::size_t live_ = 0;
    std::size_t used_ = 0; // live ones and graves
};

} // namespace wgd::wg::allowed_ips_detail
