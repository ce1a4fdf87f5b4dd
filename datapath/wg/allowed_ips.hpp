// SPDX-License-Identifier: MIT
// Cryptokey routing (WG 2): which peer a prefix belongs to, by longest match, for IPv4 and IPv6.
//
// Per family a hash table of the host routes, which are most of what large devices have, and a
// path-compressed binary trie of the shorter prefixes. lookup() runs on any number of data threads while the
// control thread changes them: a change is one pointer store, so a reader sees it or does not; nodes that
// fall out go to the Reclaimer. A change costs one walk down the trie, whatever the number of peers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "common/base/ip.hpp"
#include "datapath/wg/host_table.hpp"
#include "datapath/wg/reclaimer.hpp"

namespace wgd::wg {

class Peer;

namespace allowed_ips_detail {

// An address as words, most significant bit first.
struct Key4 {
    static constexpr unsigned kBits = 32;
    std::uint32_t word = 0;
    bool operator==(const Key4&) const = default;
};
struct Key6 {
    static constexpr unsigned kBits = 128;
    std::uint64_t high = 0, low = 0;
    bool operator==(const Key6&) const = default;
};
[[nodiscard]] std::size_t hash(const Key4& key);
[[nodiscard]] std::size_t hash(const Key6& key);

template <class Key>
struct Node {
    std::atomic<Node*> child[2]{};
    std::atomic<Peer*> peer{nullptr}; // null: a fork between longer prefixes
    Key key;                          // host bits zero
    std::uint8_t length = 0;
    // control thread only
    bool wanted = false; // by AllowedIps::replace_all(), while it runs
    Node* parent = nullptr;
    Node* previous = nullptr; // of the same peer, in the order they were added
    Node* next = nullptr;
};

template <class Key>
class Table {
  public:
    using TableNode = Node<Key>;
    ~Table();
    [[nodiscard]] Peer* lookup(const Key& key) const;
    // Returns the node, and the peer that owned it before (null, or the same one).
    std::pair<TableNode*, Peer*> insert(const Key& key, unsigned length, Peer* peer, Reclaimer& reclaimer);
    [[nodiscard]] TableNode* find(const Key& key, unsigned length) const;
    void remove(TableNode* node, Reclaimer& reclaimer);

  private:
    std::atomic<TableNode*>& slot_of(TableNode* node);
    void unlink_if_useless(TableNode* node, Reclaimer& reclaimer);
    HostTable<Key, TableNode> hosts_; // full length; never in the trie
    std::atomic<TableNode*> root_{nullptr};
};

} // namespace allowed_ips_detail

// A peer's own prefixes, in the order they were added. Belongs to the peer, is kept by AllowedIps.
class AllowedIpList {
  public:
    [[nodiscard]] std::vector<IpPrefix> prefixes() const;
    [[nodiscard]] bool empty() const { return !v4_.first && !v6_.first; }
    // These and no others, each family in this order.
    [[nodiscard]] bool holds_exactly(const std::vector<IpPrefix>& prefixes) const;

  private:
    friend class AllowedIps;
    template <class Key>
    struct List {
        allowed_ips_detail::Node<Key>*first = nullptr, *last = nullptr;
    };
    List<allowed_ips_detail::Key4> v4_;
    List<allowed_ips_detail::Key6> v6_;
};

class AllowedIps {
  public:
    explicit AllowedIps(Reclaimer& reclaimer)
        : reclaimer_(&reclaimer) {}

    // --- any thread ---
    [[nodiscard]] Peer* lookup_v4(const std::uint8_t* address) const; // 4 network-order bytes
    [[nodiscard]] Peer* lookup_v6(const std::uint8_t* address) const; // 16

    // --- control thread ---
    // The prefix is `peer`'s from now on; host bits do not matter. Taken from whoever had it. A prefix the
    // peer already has moves to the end of its list.
    void insert(const IpPrefix& prefix, Peer& peer);
    // Only if it is exactly one of `peer`'s.
    void remove(const IpPrefix& prefix, Peer& peer);
    void remove_all(Peer& peer);
    // The peer's prefixes become exactly these; what it keeps is routed throughout.
    void replace_all(Peer& peer, const std::vector<IpPrefix>& prefixes);

  private:
    template <class Key>
    void insert_key(allowed_ips_detail::Table<Key>& table, const Key& key, unsigned length, Peer& peer);
    template <class Key>
    void remove_node(allowed_ips_detail::Table<Key>& table, allowed_ips_detail::Node<Key>* node, Peer& peer);

    Reclaimer* reclaimer_;
    allowed_ips_detail::Table<allowed_ips_detail::Key4> v4_;
    allowed_ips_detail::Table<allowed_ips_detail::Key6> v6_;
};

} // namespace wgd::wg
