// SPDX-License-Identifier: MIT
// The trie against a list that is searched from end to end.
#include <catch2/catch.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <random>

#include "kmod.hpp"

// The trie knows peers by address only.
struct wg_peer {
    list_head entries;
};

namespace {

struct Prefix {
    u8 family;
    std::array<u8, 16> address; // masked
    u8 length;
    wg_peer* peer;
};

struct Trie {
    wg_allowed_ips table{};
    mutex lock{};
    std::vector<wg_peer> peers;

    explicit Trie(size_t count)
        : peers(count) {
        REQUIRE(wg_allowed_ips_module_init() == 0);
        mutex_init(&lock);
        for (auto& peer : peers)
            INIT_LIST_HEAD(&peer.entries);
        mutex_lock(&lock);
    }
    ~Trie() {
        for (auto& peer : peers)
            wg_allowed_ips_remove_all(&table, &peer.entries, &lock);
        mutex_unlock(&lock);
        CHECK(table.root4 == nullptr);
        CHECK(table.root6 == nullptr);
        CHECK(wg_shim_live_objects == 0);
        wg_allowed_ips_module_exit();
    }
    int insert(u8 family, const void* address, u8 length, wg_peer& peer) {
        return wg_allowed_ips_insert(&table, family, address, length, &peer, &peer.entries, &lock);
    }
    int insert(const char* text, u8 length, wg_peer& peer) {
        u8 address[16];
        const u8 family = std::strchr(text, ':') ? AF_INET6 : AF_INET;
        inet_pton(family, text, address);
        return insert(family, address, length, peer);
    }
    wg_peer* find(u8 family, const void* address) {
        if (family == AF_INET6) return wg_allowed_ips_lookup6(&table, address);
        u32 v4;
        std::memcpy(&v4, address, sizeof(v4));
        return wg_allowed_ips_lookup4(&table, v4);
    }
    wg_peer* find(const char* text) {
        u8 address[16];
        const u8 family = std::strchr(text, ':') ? AF_INET6 : AF_INET;
        inet_pton(family, text, address);
        return find(family, address);
    }
};

bool bit(const std::array<u8, 16>& address, int at) {
    return address[at / 8] >> (7 - at % 8) & 1;
}

bool covers(const Prefix& prefix, u8 family, const std::array<u8, 16>& address) {
    if (prefix.family != family) return false;
    for (int i = 0; i < prefix.length; ++i)
        if (bit(prefix.address, i) != bit(address, i)) return false;
    return true;
}

std::array<u8, 16> masked(std::array<u8, 16> address, int length) {
    for (int i = length; i < 128; ++i)
        address[i / 8] &= static_cast<u8>(~(1 << (7 - i % 8)));
    return address;
}

} // namespace

TEST_CASE("the longest prefix wins; an equal one moves") {
    Trie trie(3);
    auto &a = trie.peers[0], &b = trie.peers[1], &c = trie.peers[2];
    CHECK(trie.find("10.0.0.1") == nullptr);
    CHECK(trie.insert("0.0.0.0", 0, a) == 0);
    CHECK(trie.insert("10.1.2.3", 8, b) == 0);
    CHECK(trie.insert("10.1.2.3", 32, c) == 0);
    CHECK(trie.find("192.0.2.1") == &a);
    CHECK(trie.find("10.9.9.9") == &b);
    CHECK(trie.find("10.1.2.3") == &c);
    CHECK(trie.find("::") == nullptr);
    CHECK(trie.insert("10.0.0.0", 8, c) == 0);
    CHECK(trie.find("10.9.9.9") == &c);
    CHECK(list_empty(&b.entries));
    CHECK(trie.insert("10.0.0.0", 33, a) == -EINVAL);
    CHECK(trie.insert("::", 129, a) == -EINVAL);
    CHECK(trie.insert("::", 128, a) == 0);
    CHECK(trie.find("::") == &a);
    CHECK(trie.find("::1") == nullptr);
}

TEST_CASE("a dump shows the prefix masked") {
    Trie trie(1);
    trie.insert("2001:db8:ffff::1", 33, trie.peers[0]);
    u8 address[16], length;
    const auto* node = container_of(trie.peers[0].entries.next, wg_prefix_node, peer_entry);
    CHECK(wg_prefix_node_read(node, address, &length) == AF_INET6);
    char text[INET6_ADDRSTRLEN];
    CHECK(std::string(inet_ntop(AF_INET6, address, text, sizeof(text))) == "2001:db8:8000::");
    CHECK(length == 33);
}

TEST_CASE("no memory: the table stays as it was") {
    Trie trie(2);
    REQUIRE(trie.insert("10.0.0.0", 9, trie.peers[0]) == 0);
    for (long fail_at : {0L, 1L}) {
        wg_shim_allocations_left = fail_at;
        CHECK(trie.insert("10.128.0.0", 9, trie.peers[1]) == -ENOMEM);
        wg_shim_allocations_left = -1;
        CHECK(trie.find("10.128.0.1") == nullptr);
        CHECK(trie.find("10.0.0.1") == &trie.peers[0]);
        CHECK(list_empty(&trie.peers[1].entries));
    }
}

TEST_CASE("the trie agrees with a list") {
    std::mt19937 random(7);
    const u8 families[] = {AF_INET, AF_INET6};
    for (int run = 0; run < 40; ++run) {
        Trie trie(6);
        std::vector<Prefix> list;
        auto random_address = [&](u8 family) {
            std::array<u8, 16> address{};
            // Few distinct bits, so that prefixes nest and meet.
            for (int i = 0; i < (family == AF_INET ? 4 : 16); ++i)
                address[i] = static_cast<u8>(random() % 4 == 0 ? random() : 0);
            return address;
        };
        for (int i = 0; i < 300; ++i) {
            const u8 family = families[random() % 2];
            auto address = random_address(family);
            const u8 length = static_cast<u8>(random() % (family == AF_INET ? 33 : 129));
            auto& peer = trie.peers[random() % trie.peers.size()];
            auto same = [&](const Prefix& p) {
                return p.family == family && p.length == length && p.address == masked(address, length);
            };
            if (random() % 4) {
                REQUIRE(trie.insert(family, address.data(), length, peer) == 0);
                list.erase(std::remove_if(list.begin(), list.end(), same), list.end());
                list.push_back({family, masked(address, length), length, &peer});
            } else if (!list.empty() && random() % 8) {
                // One that exists, its owner's or somebody else's.
                const Prefix victim = list[random() % list.size()];
                wg_peer* by = random() % 3 ? victim.peer : &peer;
                REQUIRE(wg_allowed_ips_remove(&trie.table, victim.family, victim.address.data(),
                                              victim.length, by, &trie.lock) == 0);
                if (by == victim.peer)
                    list.erase(std::remove_if(list.begin(), list.end(),
                                              [&](const Prefix& p) {
                                                  return p.family == victim.family &&
                                                         p.length == victim.length &&
                                                         p.address == victim.address;
                                              }),
                               list.end());
            } else {
                wg_allowed_ips_remove_all(&trie.table, &peer.entries, &trie.lock);
                list.erase(std::remove_if(list.begin(), list.end(),
                                          [&](const Prefix& p) { return p.peer == &peer; }),
                           list.end());
            }
            for (int probe = 0; probe < 20; ++probe) {
                const u8 wanted = families[random() % 2];
                const auto target = random_address(wanted);
                const Prefix* best = nullptr;
                for (const auto& p : list)
                    if (covers(p, wanted, target) && (!best || p.length > best->length)) best = &p;
                REQUIRE(trie.find(wanted, target.data()) == (best ? best->peer : nullptr));
            }
            // No more nodes than prefixes and forks between them.
            REQUIRE(static_cast<size_t>(wg_shim_live_objects) <= 2 * list.size());
        }
    }
}
