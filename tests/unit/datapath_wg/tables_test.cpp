// SPDX-License-Identifier: MIT
// The small tables and values: indices, timers, staging, paths, stamps, messages, reclamation.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/message.hpp"
#include "datapath/wg/peer_table.hpp"
#include "datapath/wg/tai64n.hpp"
#include "datapath/wg/timer_heap.hpp"

using namespace wgd;
using namespace wgd::wg;

namespace {

PublicKey key(std::uint32_t number) {
    std::array<std::uint8_t, 32> bytes{};
    store_le<std::uint32_t>(bytes.data(), number);
    return PublicKey(bytes);
}

} // namespace

TEST_CASE("a peer at rest is small", "[peer]") {
    CHECK(sizeof(Peer) <= 1024);
}

TEST_CASE("indices: unique, found until removed, through growth and graves", "[index_table]") {
    Reclaimer reclaimer;
    IndexTable table(reclaimer);
    Peer peer(key(1));
    std::mt19937 dice(3);
    std::map<std::uint32_t, Keypair*> live;
    std::set<std::uint32_t> gone;
    for (int step = 0; step < 20000; ++step) {
        if (live.empty() || dice() % 20 < (step < 10000 ? 13u : 7u)) {
            const std::uint32_t index = table.reserve(peer, system_random());
            REQUIRE(table.handshake_peer(index) == &peer);
            REQUIRE(table.find(index) == nullptr);
            if (dice() % 4 == 0) {
                table.release(index);
                REQUIRE(table.peer_of(index) == nullptr);
                continue;
            }
            auto* keypair = new Keypair(peer, {}, {}, index, 0, true, Instant{});
            table.promote(*keypair);
            REQUIRE(table.handshake_peer(index) == nullptr);
            live[index] = keypair;
            gone.erase(index);
        } else {
            auto at = live.begin();
            std::advance(at, static_cast<long>(dice() % std::min<std::size_t>(live.size(), 8)));
            table.remove(*at->second);
            gone.insert(at->first);
            delete at->second;
            live.erase(at);
        }
        if (step % 500 == 0) {
            for (const auto& [index, keypair] : live)
                REQUIRE(table.find(index) == keypair);
            for (std::uint32_t index : gone)
                REQUIRE(table.find(index) == nullptr);
            reclaimer.collect();
            reclaimer.destroy_doomed();
        }
    }
    for (const auto& [index, keypair] : live) {
        REQUIRE(table.peer_of(index) == &peer);
        table.remove(*keypair);
        delete keypair;
    }
}

TEST_CASE("the timer heap gives the earliest first, whatever was planned again or cancelled", "[timers]") {
    std::mt19937 dice(5);
    TimerHeap heap;
    std::vector<std::unique_ptr<Peer>> peers;
    std::map<Peer*, Instant> planned;
    for (std::uint32_t i = 0; i < 200; ++i)
        peers.push_back(std::make_unique<Peer>(key(i)));
    for (int step = 0; step < 20000; ++step) {
        Peer& peer = *peers[dice() % peers.size()];
        if (dice() % 4 == 0) {
            heap.cancel(peer);
            planned.erase(&peer);
        } else {
            const Instant at{Duration(static_cast<std::int64_t>(dice() % 100000))};
            heap.plan(peer, at);
            planned[&peer] = at;
        }
        if (dice() % 10 == 0 && !planned.empty()) {
            const auto first =
                std::min_element(planned.begin(), planned.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
            REQUIRE(heap.earliest() == first->second);
            REQUIRE(heap.pop_due(first->second - Duration(1)) == nullptr);
            Peer* due = heap.pop_due(first->second);
            REQUIRE(due);
            REQUIRE(planned.at(due) == first->second);
            planned.erase(due);
        }
    }
}

TEST_CASE("peers are listed in the order they were added", "[peer_table]") {
    PeerTable table(crypto::TableKey{});
    for (std::uint32_t i = 0; i < 10; ++i)
        table.add(key(i));
    for (std::uint32_t i : {0u, 5u, 9u}) {
        Peer* peer = table.find(key(i));
        REQUIRE(peer);
        table.remove(*peer);
        CHECK(table.find(key(i)) == nullptr);
        delete peer;
    }
    table.add(key(5));
    std::vector<PublicKey> listed;
    for (Peer* peer = table.first(); peer; peer = peer->newer)
        listed.push_back(peer->public_key);
    std::vector<PublicKey> expected;
    for (std::uint32_t i : {1u, 2u, 3u, 4u, 6u, 7u, 8u, 5u})
        expected.push_back(key(i));
    CHECK(listed == expected);
}

TEST_CASE("staging is bounded per peer and in all", "[staging]") {
    Staging staging;
    Peer a(key(1)), b(key(2));
    const Bytes big(60000, 1);
    std::size_t lost = 0;
    for (int i = 0; i < 200; ++i)
        lost += staging.push(a, big);
    CHECK(lost == 200 - kMaxStagedPackets);
    while (staging.push(b, big) == 0) {
    }
    const std::size_t in_all = staging.take(a).size() + staging.take(b).size();
    CHECK(in_all * big.size() <= Staging::kMaxBytes);
    CHECK_FALSE(staging.has(a));
    CHECK(staging.push(b, big) == 0);
    CHECK(staging.has(b));
    staging.forget(b);
    CHECK_FALSE(staging.has(b));
}

TEST_CASE("a path is read whole while others write it", "[path]") {
    SharedPath shared;
    CHECK_FALSE(shared.load());
    shared.forget_source();
    CHECK_FALSE(shared.load());
    const auto make = [](std::uint8_t n) {
        return Path{{IpAddress::v6({n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n}), n, n},
                    IpAddress::v6({n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n}),
                    n};
    };
    shared.store(make(0));
    std::atomic<bool> stop{false};
    std::vector<std::thread> writers;
    for (int w = 0; w < 2; ++w)
        writers.emplace_back([&] {
            for (std::uint8_t n = 1; !stop; ++n)
                shared.try_store(make(n));
        });
    unsigned torn = 0;
    for (int i = 0; i < 50000; ++i) {
        const Path path = shared.load().value();
        torn += path == make(static_cast<std::uint8_t>(path.remote.port)) ? 0 : 1;
    }
    stop = true;
    for (std::thread& writer : writers)
        writer.join();
    CHECK(torn == 0);
    shared.store(make(3));
    shared.forget_source();
    CHECK(shared.load()->remote == make(3).remote);
    CHECK(shared.load()->local.is_unspecified());
}

TEST_CASE("TAI64N stamps: order, whitening, and a clock that goes back", "[tai64n]") {
    const WallTime time{Duration(1'700'000'000'123'456'789)};
    const Tai64n stamp = tai64n(time);
    CHECK(load_be<std::uint64_t>(stamp.data()) == 0x400000000000000aULL + 1'700'000'000);
    CHECK(load_be<std::uint32_t>(stamp.data() + 8) == 123'456'789u / (1u << 24) * (1u << 24));
    CHECK(tai64n(time + Duration(1)) == stamp); // whitened
    CHECK(tai64n(time + 17ms) > stamp);
    Tai64n last = stamp;
    for (int i = 0; i < 200; ++i) {
        const Tai64n next = next_tai64n(time - 1h, last);
        CHECK(next > last);
        CHECK(load_be<std::uint32_t>(next.data() + 8) < 1'000'000'000);
        last = next;
    }
}

TEST_CASE("a datagram is what its type and length say", "[messages]") {
    const auto type_of = [](std::uint32_t type, std::size_t size) {
        Bytes bytes(std::max<std::size_t>(size, 4));
        store_le<std::uint32_t>(bytes.data(), type);
        bytes.resize(size);
        return classify(bytes);
    };
    CHECK(type_of(1, 148) == MessageType::kInitiation);
    CHECK(type_of(2, 92) == MessageType::kResponse);
    CHECK(type_of(3, 64) == MessageType::kCookieReply);
    CHECK(type_of(4, 32) == MessageType::kTransport);
    CHECK(type_of(4, 65507) == MessageType::kTransport);
    for (const auto& [type, size] : {std::pair{1u, 147u},
                                     {1u, 149u},
                                     {2u, 91u},
                                     {2u, 148u},
                                     {3u, 63u},
                                     {3u, 65u},
                                     {4u, 31u},
                                     {4u, 0u},
                                     {4u, 3u},
                                     {0u, 148u},
                                     {5u, 148u},
                                     {0x101u, 148u},
                                     {0x01000004u, 64u}})
        CHECK_FALSE(type_of(type, size));
}

TEST_CASE("the retired live until the last reader has moved on", "[reclaimer]") {
    struct Witness {
        explicit Witness(int& to)
            : gone(to) {}
        ~Witness() { ++gone; }
        int& gone;
    };
    int gone = 0;
    {
        Reclaimer reclaimer;
        const auto round = [&] {
            reclaimer.collect();
            reclaimer.destroy_doomed();
        };
        ReaderSlot* first = reclaimer.enter();
        ReaderSlot* second = reclaimer.enter();
        reclaimer.retire(new Witness(gone));
        round();
        CHECK(gone == 1); // nobody is online
        reclaimer.online(*first);
        reclaimer.online(*second);
        reclaimer.retire(new Witness(gone));
        round();
        CHECK(gone == 1);
        CHECK(reclaimer.pending());
        reclaimer.quiescent(*first);
        round();
        CHECK(gone == 1);
        Reclaimer::offline(*second);
        round();
        CHECK(gone == 2);
        CHECK_FALSE(reclaimer.pending());
        reclaimer.online(*second); // came after: does not hold back what was retired before
        reclaimer.retire(new Witness(gone));
        reclaimer.collect();
        reclaimer.leave(first);
        reclaimer.leave(second);
        reclaimer.retire(new Witness(gone));
    }
    CHECK(gone == 4);
}

TEST_CASE("the attention list gives every peer once, with all its reasons", "[attention]") {
    AttentionList list;
    std::vector<std::unique_ptr<Peer>> peers;
    for (std::uint32_t i = 0; i < 50; ++i)
        peers.push_back(std::make_unique<Peer>(key(i)));
    std::atomic<int> running{3};
    std::vector<std::thread> threads;
    constexpr int kRounds = 20000;
    for (std::uint32_t bit : {1u, 2u, 4u})
        threads.emplace_back([&, bit] {
            for (int i = 0; i < kRounds; ++i)
                list.push(*peers[static_cast<std::size_t>(i) % peers.size()], bit);
            --running;
        });
    std::map<Peer*, std::uint32_t> seen;
    while (running > 0 || !list.empty())
        list.drain([&](Peer& peer, std::uint32_t why) {
            REQUIRE(why != 0);
            seen[&peer] |= why;
        });
    for (std::thread& thread : threads)
        thread.join();
    list.drain([&](Peer& peer, std::uint32_t why) { seen[&peer] |= why; });
    REQUIRE(seen.size() == peers.size());
    for (const auto& [peer, why] : seen)
        CHECK(why == 7);
}
