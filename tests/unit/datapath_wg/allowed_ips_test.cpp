// SPDX-License-Identifier: MIT
// The trie against a list that is searched from end to end.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "datapath/wg/allowed_ips.hpp"
#include "datapath/wg/peer.hpp"

using namespace wgd;
using namespace wgd::wg;

namespace {

IpPrefix prefix(const char* text) {
    return IpPrefix::parse(text).value();
}

// Deliberately stupid.
class StupidTable {
  public:
    void insert(const IpPrefix& prefix, Peer* peer) { owners_[prefix.network()] = peer; }
    void remove(const IpPrefix& prefix, Peer* peer) {
        const auto found = owners_.find(prefix.network());
        if (found != owners_.end() && found->second == peer) owners_.erase(found);
    }
    void remove_all(Peer* peer) {
        std::erase_if(owners_, [&](const auto& entry) { return entry.second == peer; });
    }
    [[nodiscard]] Peer* lookup(const IpAddress& address) const {
        Peer* best = nullptr;
        int length = -1;
        for (const auto& [candidate, peer] : owners_)
            if (candidate.family() == address.family() && candidate.contains(address) &&
                static_cast<int>(candidate.length()) > length) {
                best = peer;
                length = static_cast<int>(candidate.length());
            }
        return best;
    }
    [[nodiscard]] std::set<IpPrefix> of(Peer* peer) const {
        std::set<IpPrefix> all;
        for (const auto& [candidate, owner] : owners_)
            if (owner == peer) all.insert(candidate);
        return all;
    }

  private:
    std::map<IpPrefix, Peer*> owners_;
};

Peer* lookup(const AllowedIps& table, const IpAddress& address) {
    return address.is_v4() ? table.lookup_v4(address.bytes().data())
                           : table.lookup_v6(address.bytes().data());
}

struct Dice {
    std::mt19937_64 random;
    IpAddress address() {
        // Few distinct bits, so that prefixes nest and collide.
        const auto byte = [&] {
            return static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 4 * 64);
        };
        if (random() % 2 == 0) return IpAddress::v4({byte(), byte(), byte(), byte()});
        std::array<std::uint8_t, 16> bytes;
        for (auto& b : bytes)
            b = byte();
        return IpAddress::v6(bytes);
    }
    IpPrefix prefix() {
        const IpAddress base = address();
        return IpPrefix::make(base, static_cast<unsigned>(random() % (base.bits() + 1))).value();
    }
};

} // namespace

TEST_CASE("longest match, stealing and removal", "[allowed_ips]") {
    Reclaimer reclaimer;
    AllowedIps table(reclaimer);
    Peer a{PublicKey{}}, b{PublicKey{}};
    table.insert(prefix("0.0.0.0/0"), a);
    table.insert(prefix("10.0.0.0/8"), b);
    table.insert(prefix("10.1.2.3/32"), a);
    table.insert(prefix("::/0"), b);
    CHECK(lookup(table, *IpAddress::parse("9.9.9.9")) == &a);
    CHECK(lookup(table, *IpAddress::parse("10.9.9.9")) == &b);
    CHECK(lookup(table, *IpAddress::parse("10.1.2.3")) == &a);
    CHECK(lookup(table, *IpAddress::parse("2001:db8::1")) == &b);

    table.insert(prefix("10.0.0.0/8"), a); // stolen
    CHECK(lookup(table, *IpAddress::parse("10.9.9.9")) == &a);
    CHECK(b.allowed_ips.prefixes() == std::vector<IpPrefix>{prefix("::/0")});
    CHECK(a.allowed_ips.prefixes() ==
          std::vector<IpPrefix>{prefix("0.0.0.0/0"), prefix("10.1.2.3/32"), prefix("10.0.0.0/8")});

    table.remove(prefix("10.1.2.3/32"), b); // not b's
    CHECK(lookup(table, *IpAddress::parse("10.1.2.3")) == &a);
    table.remove_all(a);
    CHECK(a.allowed_ips.empty());
    CHECK(lookup(table, *IpAddress::parse("10.1.2.3")) == nullptr);
    CHECK(lookup(table, *IpAddress::parse("::1")) == &b);
}

TEST_CASE("host bits do not matter", "[allowed_ips]") {
    Reclaimer reclaimer;
    AllowedIps table(reclaimer);
    Peer a{PublicKey{}};
    table.insert(prefix("192.168.7.9/16"), a);
    CHECK(a.allowed_ips.prefixes() == std::vector<IpPrefix>{prefix("192.168.0.0/16")});
    table.remove(prefix("192.168.1.1/16"), a);
    CHECK(a.allowed_ips.empty());
}

TEST_CASE("replacing keeps what stays and drops the rest", "[allowed_ips]") {
    Reclaimer reclaimer;
    AllowedIps table(reclaimer);
    Peer a{PublicKey{}};
    table.replace_all(a, {prefix("10.0.0.0/24"), prefix("10.0.1.0/24"), prefix("fd00::/64")});
    table.replace_all(a, {prefix("fd00:1::/64"), prefix("10.0.1.0/24"), prefix("10.0.1.0/24")});
    CHECK(a.allowed_ips.prefixes() == std::vector<IpPrefix>{prefix("10.0.1.0/24"), prefix("fd00:1::/64")});
    CHECK(lookup(table, *IpAddress::parse("10.0.0.5")) == nullptr);
    const auto same = [&](std::vector<IpPrefix> prefixes) { return a.allowed_ips.holds_exactly(prefixes); };
    CHECK(same({prefix("fd00:1::/64"), prefix("10.0.1.0/24")}));
    CHECK(same({prefix("10.0.1.7/24"), prefix("fd00:1::9/64")})); // host bits do not matter
    CHECK_FALSE(same({prefix("10.0.1.0/24")}));
    CHECK_FALSE(same({prefix("10.0.1.0/24"), prefix("fd00:1::/65")}));
    CHECK_FALSE(same({prefix("10.0.1.0/24"), prefix("10.0.1.0/24"), prefix("fd00:1::/64")}));
    CHECK_FALSE(same({}));
    table.replace_all(a, {});
    CHECK(same({}));
    CHECK(a.allowed_ips.empty());
    CHECK(lookup(table, *IpAddress::parse("10.0.1.5")) == nullptr);
}

TEST_CASE("trie and stupid table agree, whatever is done to them", "[allowed_ips]") {
    for (unsigned seed = 0; seed < 25; ++seed) {
        Dice dice{std::mt19937_64(seed)};
        Reclaimer reclaimer;
        AllowedIps table(reclaimer);
        StupidTable stupid;
        std::vector<std::unique_ptr<Peer>> peers;
        for (int i = 0; i < 5; ++i)
            peers.push_back(std::make_unique<Peer>(PublicKey{}));
        std::vector<IpPrefix> used;
        for (int step = 0; step < 400; ++step) {
            Peer& peer = *peers[dice.random() % peers.size()];
            const IpPrefix chosen =
                used.empty() || dice.random() % 3 != 0 ? dice.prefix() : used[dice.random() % used.size()];
            used.push_back(chosen);
            switch (dice.random() % 16) {
            case 0:
                table.remove_all(peer);
                stupid.remove_all(&peer);
                break;
            case 1:
            case 2:
            case 3:
            case 4:
                table.remove(chosen, peer);
                stupid.remove(chosen, &peer);
                break;
            default:
                table.insert(chosen, peer);
                stupid.insert(chosen, &peer);
                break;
            }
            if (dice.random() % 8 == 0) {
                reclaimer.collect();
                reclaimer.destroy_doomed();
            }
            for (int probe = 0; probe < 20; ++probe) {
                const IpAddress address =
                    probe % 2 == 0 ? dice.address() : used[dice.random() % used.size()].address();
                INFO("seed " << seed << " step " << step << " " << address.to_string());
                REQUIRE(lookup(table, address) == stupid.lookup(address));
            }
        }
        for (const auto& peer : peers) {
            const auto listed = peer->allowed_ips.prefixes();
            CHECK(std::set<IpPrefix>(listed.begin(), listed.end()) == stupid.of(peer.get()));
            CHECK(listed.size() == stupid.of(peer.get()).size());
        }
    }
}

TEST_CASE("a reader sees the old owner or the new one while the table changes", "[allowed_ips]") {
    Reclaimer reclaimer;
    AllowedIps table(reclaimer);
    Peer a{PublicKey{}}, b{PublicKey{}};
    table.insert(prefix("0.0.0.0/0"), a);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> wrong{0}, looked{0};
    std::thread reader([&] {
        ReaderSlot* slot = reclaimer.enter();
        reclaimer.online(*slot);
        const std::array<std::uint8_t, 4> address{10, 1, 2, 3};
        while (!stop) {
            const Peer* peer = table.lookup_v4(address.data());
            if (peer != &a && peer != &b) ++wrong;
            ++looked;
            reclaimer.quiescent(*slot);
        }
        reclaimer.leave(slot);
    });
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000 || looked < 1000; ++i) {
        const auto length = static_cast<unsigned>(8 + random() % 25);
        const IpPrefix chosen = IpPrefix::make(*IpAddress::parse("10.1.2.3"), length).value();
        if (random() % 2 == 0)
            table.insert(chosen, b);
        else
            table.remove(chosen, b);
        reclaimer.collect();
        reclaimer.destroy_doomed();
    }
    stop = true;
    reader.join();
    CHECK(wrong == 0);
}
