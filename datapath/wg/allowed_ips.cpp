// SPDX-License-Identifier: MIT
#include "datapath/wg/allowed_ips.hpp"

#include <bit>

#include "common/base/bytes.hpp"
#include "datapath/wg/peer.hpp"

namespace wgd::wg {
namespace allowed_ips_detail {
namespace {

Key4 key4(const std::uint8_t* bytes) {
    return {load_be<std::uint32_t>(bytes)};
}
Key6 key6(const std::uint8_t* bytes) {
    return {load_be<std::uint64_t>(bytes), load_be<std::uint64_t>(bytes + 8)};
}

unsigned bit_at(const Key4& key, unsigned at) {
    return (key.word >> (31 - at)) & 1u;
}
unsigned bit_at(const Key6& key, unsigned at) {
    return static_cast<unsigned>(at < 64 ? (key.high >> (63 - at)) & 1u : (key.low >> (127 - at)) & 1u);
}

// How many leading bits two keys share.
unsigned common_bits(const Key4& a, const Key4& b) {
    return static_cast<unsigned>(std::countl_zero(a.word ^ b.word));
}
unsigned common_bits(const Key6& a, const Key6& b) {
    const std::uint64_t high = a.high ^ b.high;
    return static_cast<unsigned>(high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(a.low ^ b.low));
}

Key4 masked(const Key4& key, unsigned length) {
    return {length == 0 ? 0 : key.word & (~std::uint32_t{0} << (32 - length))};
}
Key6 masked(const Key6& key, unsigned length) {
    const auto mask = [](unsigned bits) { return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits); };
    return {key.high & mask(std::min(length, 64u)), key.low & mask(length > 64 ? length - 64 : 0)};
}

IpAddress address_of(const Key4& key) {
    std::array<std::uint8_t, 4> bytes;
    store_be<std::uint32_t>(bytes.data(), key.word);
    return IpAddress::v4(bytes);
}
IpAddress address_of(const Key6& key) {
    std::array<std::uint8_t, 16> bytes;
    store_be<std::uint64_t>(bytes.data(), key.high);
    store_be<std::uint64_t>(bytes.data() + 8, key.low);
    return IpAddress::v6(bytes);
}

// A multiplicative mixer. Only who configures the device chooses what is in the table.
std::uint64_t mix(std::uint64_t word) {
    word ^= word >> 32;
    word *= 0xd6e8feb86659fd93u;
    word ^= word >> 32;
    word *= 0xd6e8feb86659fd93u;
    return word ^ (word >> 32);
}

template <class Key>
bool covers(const Node<Key>& node, const Key& key) {
    return common_bits(node.key, key) >= node.length;
}

} // namespace

std::size_t hash(const Key4& key) {
    return static_cast<std::size_t>(mix(key.word));
}
std::size_t hash(const Key6& key) {
    return static_cast<std::size_t>(mix(key.high ^ mix(key.low)));
}

template <class Key>
Table<Key>::~Table() {
    std::vector<TableNode*> rest;
    if (TableNode* root = root_.load()) rest.push_back(root);
    while (!rest.empty()) {
        TableNode* node = rest.back();
        rest.pop_back();
        for (auto& child : node->child)
            if (TableNode* below = child.load()) rest.push_back(below);
        delete node;
    }
}

template <class Key>
Peer* Table<Key>::lookup(const Key& key) const {
    if (const TableNode* host = hosts_.find(key)) return host->peer.load();
    Peer* best = nullptr;
    const TableNode* node = root_.load();
    while (node && covers(*node, key)) {
        if (Peer* peer = node->peer.load()) best = peer;
        node = node->child[bit_at(key, node->length)].load();
    }
    return best;
}

template <class Key>
std::pair<Node<Key>*, Peer*> Table<Key>::insert(const Key& address, unsigned length, Peer* peer,
                                                Reclaimer& reclaimer) {
    const Key key = masked(address, length);
    if (length == Key::kBits) {
        if (TableNode* host = hosts_.find(key)) return {host, host->peer.exchange(peer)};
        auto* host = new TableNode;
        host->key = key;
        host->length = static_cast<std::uint8_t>(length);
        host->peer.store(peer);
        hosts_.insert(host, reclaimer);
        return {host, nullptr};
    }
    TableNode* parent = nullptr;
    std::atomic<TableNode*>* slot = &root_;
    TableNode* node = slot->load();
    while (node && node->length <= length && covers(*node, key)) {
        if (node->length == length) {
            Peer* before = node->peer.load();
            node->peer.store(peer);
            return {node, before};
        }
        parent = node;
        slot = &node->child[bit_at(key, node->length)];
        node = slot->load();
    }

    auto* made = new TableNode;
    made->key = key;
    made->length = static_cast<std::uint8_t>(length);
    made->peer.store(peer);
    made->parent = parent;
    if (!node) {
        slot->store(made);
        return {made, nullptr};
    }
    const unsigned shared = std::min({common_bits(node->key, key), length, unsigned{node->length}});
    if (shared == length) { // the new prefix contains what was there
        made->child[bit_at(node->key, length)].store(node);
        node->parent = made;
        slot->store(made);
        return {made, nullptr};
    }
    auto* fork = new TableNode;
    fork->key = masked(key, shared);
    fork->length = static_cast<std::uint8_t>(shared);
    fork->parent = parent;
    fork->child[bit_at(key, shared)].store(made);
    fork->child[bit_at(node->key, shared)].store(node);
    made->parent = fork;
    node->parent = fork;
    slot->store(fork);
    return {made, nullptr};
}

template <class Key>
Node<Key>* Table<Key>::find(const Key& address, unsigned length) const {
    const Key key = masked(address, length);
    if (length == Key::kBits) return hosts_.find(key);
    TableNode* node = root_.load();
    while (node && node->length <= length && covers(*node, key)) {
        if (node->length == length) return node->peer.load() ? node : nullptr;
        node = node->child[bit_at(key, node->length)].load();
    }
    return nullptr;
}

template <class Key>
std::atomic<Node<Key>*>& Table<Key>::slot_of(TableNode* node) {
    if (!node->parent) return root_;
    return node->parent->child[bit_at(node->key, node->parent->length)];
}

// A node without a peer is worth its place only as a fork. Readers standing on it keep their way down: its
// own child pointers stay as they are.
template <class Key>
void Table<Key>::unlink_if_useless(TableNode* node, Reclaimer& reclaimer) {
    if (!node || node->peer.load()) return;
    TableNode* left = node->child[0].load();
    TableNode* right = node->child[1].load();
    if (left && right) return;
    TableNode* only = left ? left : right;
    slot_of(node).store(only);
    if (only) only->parent = node->parent;
    TableNode* parent = node->parent;
    reclaimer.retire(node);
    unlink_if_useless(parent, reclaimer);
}

template <class Key>
void Table<Key>::remove(TableNode* node, Reclaimer& reclaimer) {
    // A reader that holds the node still finds its peer: it looked before, and the peer waits for it as the
    // node does.
    if (node->length == Key::kBits) return hosts_.remove(node, reclaimer);
    node->peer.store(nullptr);
    unlink_if_useless(node, reclaimer);
}

template class Table<Key4>;
template class Table<Key6>;

} // namespace allowed_ips_detail

using allowed_ips_detail::Key4;
using allowed_ips_detail::Key6;
using allowed_ips_detail::Node;
using allowed_ips_detail::Table;

namespace {

template <class List, class NodeType>
void append(List& list, NodeType* node) {
    node->previous = list.last;
    node->next = nullptr;
    (list.last ? list.last->next : list.first) = node;
    list.last = node;
}

template <class List, class NodeType>
void detach(List& list, NodeType* node) {
    (node->previous ? node->previous->next : list.first) = node->next;
    (node->next ? node->next->previous : list.last) = node->previous;
}

} // namespace

std::vector<IpPrefix> AllowedIpList::prefixes() const {
    std::vector<IpPrefix> all;
    for (const auto* node = v4_.first; node; node = node->next)
        all.push_back(*IpPrefix::make(allowed_ips_detail::address_of(node->key), node->length));
    for (const auto* node = v6_.first; node; node = node->next)
        all.push_back(*IpPrefix::make(allowed_ips_detail::address_of(node->key), node->length));
    return all;
}

Peer* AllowedIps::lookup_v4(const std::uint8_t* address) const {
    return v4_.lookup(allowed_ips_detail::key4(address));
}

Peer* AllowedIps::lookup_v6(const std::uint8_t* address) const {
    return v6_.lookup(allowed_ips_detail::key6(address));
}

template <class Key>
void AllowedIps::insert_key(Table<Key>& table, const Key& key, unsigned length, Peer& peer) {
    const auto list_of = [](Peer & owner) -> auto& {
        if constexpr (std::is_same_v<Key, Key4>)
            return owner.allowed_ips.v4_;
        else
            return owner.allowed_ips.v6_;
    };
    const auto [node, before] = table.insert(key, length, &peer, *reclaimer_);
    if (before) detach(list_of(*before), node);
    append(list_of(peer), node);
}

template <class Key>
void AllowedIps::remove_node(Table<Key>& table, Node<Key>* node, Peer& peer) {
    if constexpr (std::is_same_v<Key, Key4>)
        detach(peer.allowed_ips.v4_, node);
    else
        detach(peer.allowed_ips.v6_, node);
    table.remove(node, *reclaimer_);
}

void AllowedIps::insert(const IpPrefix& prefix, Peer& peer) {
    const std::uint8_t* bytes = prefix.address().bytes().data();
    if (prefix.family() == Family::kIpv4)
        insert_key(v4_, allowed_ips_detail::key4(bytes), prefix.length(), peer);
    else
        insert_key(v6_, allowed_ips_detail::key6(bytes), prefix.length(), peer);
}

void AllowedIps::remove(const IpPrefix& prefix, Peer& peer) {
    const std::uint8_t* bytes = prefix.address().bytes().data();
    if (prefix.family() == Family::kIpv4) {
        auto* node = v4_.find(allowed_ips_detail::key4(bytes), prefix.length());
        if (node && node->peer.load() == &peer) remove_node(v4_, node, peer);
    } else {
        auto* node = v6_.find(allowed_ips_detail::key6(bytes), prefix.length());
        if (node && node->peer.load() == &peer) remove_node(v6_, node, peer);
    }
}

void AllowedIps::remove_all(Peer& peer) {
    while (auto* node = peer.allowed_ips.v4_.first)
        remove_node(v4_, node, peer);
    while (auto* node = peer.allowed_ips.v6_.first)
        remove_node(v6_, node, peer);
}

namespace {

// Whether `node` is that prefix; then the one after it is next.
template <class Key>
bool is_next(const Node<Key>*& node, const Key& key, unsigned length) {
    if (!node || node->length != length || !(node->key == allowed_ips_detail::masked(key, length)))
        return false;
    node = node->next;
    return true;
}

} // namespace

bool AllowedIpList::holds_exactly(const std::vector<IpPrefix>& prefixes) const {
    const Node<Key4>* v4 = v4_.first;
    const Node<Key6>* v6 = v6_.first;
    for (const IpPrefix& prefix : prefixes) {
        const std::uint8_t* bytes = prefix.address().bytes().data();
        if (prefix.family() == Family::kIpv4 ? !is_next(v4, allowed_ips_detail::key4(bytes), prefix.length())
                                             : !is_next(v6, allowed_ips_detail::key6(bytes), prefix.length()))
            return false;
    }
    return !v4 && !v6;
}

void AllowedIps::replace_all(Peer& peer, const std::vector<IpPrefix>& prefixes) {
    // Most often, by far: a file that has not changed is read again.
    if (peer.allowed_ips.holds_exactly(prefixes)) return;
    // Every wanted prefix moves to the end of the list; what is then still in front of them is left over.
    for (const IpPrefix& prefix : prefixes) {
        insert(prefix, peer);
        (prefix.family() == Family::kIpv4 ? peer.allowed_ips.v4_.last->wanted
                                          : peer.allowed_ips.v6_.last->wanted) = true;
    }
    while (peer.allowed_ips.v4_.first && !peer.allowed_ips.v4_.first->wanted)
        remove_node(v4_, peer.allowed_ips.v4_.first, peer);
    while (peer.allowed_ips.v6_.first && !peer.allowed_ips.v6_.first->wanted)
        remove_node(v6_, peer.allowed_ips.v6_.first, peer);
    for (auto* node = peer.allowed_ips.v4_.first; node; node = node->next)
        node->wanted = false;
    for (auto* node = peer.allowed_ips.v6_.first; node; node = node->next)
        node->wanted = false;
}

} // namespace wgd::wg
