// SPDX-License-Identifier: MIT
#include "datapath/wg/index_table.hpp"

namespace wgd::wg {
namespace {
constexpr std::size_t kFirstSize = 16;
}

IndexTable::IndexTable(Reclaimer& reclaimer)
    : reclaimer_(&reclaimer)
    , table_(new Table(kFirstSize)) {}

IndexTable::~IndexTable() {
    delete table_.load();
}

Keypair* IndexTable::find(std::uint32_t index) const {
    const Table* table = table_.load();
    for (std::size_t at = index & table->mask;; at = (at + 1) & table->mask) {
        Keypair* keypair = table->slots[at].load();
        if (!keypair) return nullptr; // there always is an empty slot
        if (keypair != grave() && keypair->local_index == index) return keypair;
    }
}

std::uint32_t IndexTable::reserve(Peer& peer, Random& random) {
    for (;;) {
        std::array<std::uint8_t, 4> bytes;
        random.fill(bytes);
        const auto index = load_le<std::uint32_t>(bytes.data());
        if (!find(index) && handshakes_.emplace(index, &peer).second) return index;
    }
}

void IndexTable::release(std::uint32_t index) {
    handshakes_.erase(index);
}

void IndexTable::promote(Keypair& keypair) {
    make_room();
    put(*table_.load(), keypair);
    ++live_;
    ++used_;
    handshakes_.erase(keypair.local_index);
}

void IndexTable::remove(const Keypair& keypair) {
    Table* table = table_.load();
    for (std::size_t at = keypair.local_index & table->mask;; at = (at + 1) & table->mask) {
        Keypair* there = table->slots[at].load();
        if (!there) return;
        if (there == &keypair) {
            table->slots[at].store(grave());
            --live_;
            return;
        }
    }
}

Peer* IndexTable::peer_of(std::uint32_t index) const {
    if (Peer* peer = handshake_peer(index)) return peer;
    const Keypair* keypair = find(index);
    return keypair ? keypair->peer : nullptr;
}

Peer* IndexTable::handshake_peer(std::uint32_t index) const {
    const auto found = handshakes_.find(index);
    return found == handshakes_.end() ? nullptr : found->second;
}

void IndexTable::put(Table& table, Keypair& keypair) {
    std::size_t at = keypair.local_index & table.mask;
    while (table.slots[at].load() != nullptr)
        at = (at + 1) & table.mask;
    table.slots[at].store(&keypair);
}

// Keeps half of the slots empty, graves counted: an index made up by a stranger is found missing after a step
// or two.
void IndexTable::make_room() {
    Table* old = table_.load();
    const std::size_t size = old->mask + 1;
    if ((used_ + 1) * 2 <= size) return;
    std::size_t wanted = kFirstSize;
    while (wanted < (live_ + 1) * 4)
        wanted *= 2;
    auto* table = new Table(wanted);
    for (std::size_t at = 0; at < size; ++at)
        if (Keypair* keypair = old->slots[at].load(); keypair && keypair != grave()) put(*table, *keypair);
    used_ = live_;
    table_.store(table);
    reclaimer_->retire(old);
}

} // namespace wgd::wg
