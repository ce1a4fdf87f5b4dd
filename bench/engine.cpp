// SPDX-License-Identifier: MIT
// engine_bench: what a packet costs as the tables grow, and how many handshakes a core answers, on one thread
// and without any I/O. Prints tables. The limit beside them is what the Diffie-Hellmans alone would cost.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "datapath/crypto/x25519.hpp"
#include "datapath/wg/engine.hpp"
#include "datapath/wg/message.hpp"
#include "datapath/wg/protocol.hpp"

using namespace wgd;

namespace {

using Clock = std::chrono::steady_clock;

// xorshift64*: the bench needs many numbers, not good ones.
class FastRandom : public Random {
  public:
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1dULL;
    }
    void fill(ByteSpan out) override {
        for (std::uint8_t& byte : out)
            byte = static_cast<std::uint8_t>(next() >> 32);
    }

  private:
    std::uint64_t state_ = 88172645463325252ULL;
};

wg::Now g_now{Instant(std::chrono::hours(1)), WallTime(std::chrono::hours(500'000))};

double nanoseconds_each(Clock::time_point begin, std::size_t count) {
    return std::chrono::duration<double, std::nano>(Clock::now() - begin).count() /
           static_cast<double>(count);
}

PublicKey key_number(std::uint64_t number) {
    std::array<std::uint8_t, 32> bytes{};
    store_le<std::uint64_t>(bytes.data(), number + 1);
    bytes[30] = 0x42;
    return PublicKey(bytes);
}

IpPrefix prefix4(std::uint32_t address, unsigned length) {
    std::array<std::uint8_t, 4> bytes;
    store_be<std::uint32_t>(bytes.data(), address);
    return IpPrefix::make(IpAddress::v4(bytes), length).value();
}

// Tables of `entries` prefixes over up to 10,000 peers: host routes, or networks of /16 to /31.
void route_cost(std::size_t entries, bool hosts) {
    FastRandom random;
    const auto aead = crypto::make_aead(crypto::AeadBackend::kSodium);
    wg::Engine engine({&random, aead.get(), {}});
    wg::Outbox out;
    const std::size_t peers = std::min<std::size_t>(entries, 10'000);
    std::vector<std::uint32_t> addresses(entries);
    DeviceDelta delta;
    for (std::size_t i = 0; i < peers; ++i) {
        PeerDelta peer;
        peer.public_key = key_number(i);
        for (std::size_t entry = i; entry < entries; entry += peers) {
            addresses[entry] = static_cast<std::uint32_t>(random.next());
            peer.allowed_ips.push_back(
                {prefix4(addresses[entry], hosts ? 32 : 16 + static_cast<unsigned>(random.next() % 16))});
        }
        delta.peers.push_back(std::move(peer));
    }
    const auto begin_apply = Clock::now();
    (void)engine.apply(std::move(delta), g_now, out);
    const double apply_ms = nanoseconds_each(begin_apply, 1) / 1e6;

    wg::DataThread thread = engine.data_path().attach(*aead);
    thread.online();
    std::size_t found = 0;
    const auto lookups = [&](bool scattered) {
        constexpr std::size_t kLookups = 2'000'000;
        const auto begin = Clock::now();
        for (std::size_t i = 0; i < kLookups; ++i) {
            std::array<std::uint8_t, 4> bytes;
            store_be<std::uint32_t>(bytes.data(),
                                    addresses[scattered ? random.next() % entries : i % 4 % entries]);
            found += thread.route(Family::kIpv4, bytes.data()) != nullptr ? 1 : 0;
        }
        return nanoseconds_each(begin, kLookups);
    };
    const double few = lookups(false);
    const double all = lookups(true);
    thread.offline();
    std::printf("| %zu %s | %.3g | %.3g | %.3g |%s\n", entries, hosts ? "hosts" : "networks", few, all,
                apply_ms, found == 0 ? " nothing found!" : "");
}

double dh_cost() {
    FastRandom random;
    const PrivateKey key = crypto::generate_private_key(random);
    PublicKey point = derive_public_key(key);
    Secret<kKeySize> shared;
    constexpr std::size_t kTimes = 2000;
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < kTimes; ++i)
        (void)crypto::x25519(shared, key, point);
    return nanoseconds_each(begin, kTimes);
}

// Of the fixed point, to make an ephemeral key: a table makes it cheaper.
double base_cost() {
    FastRandom random;
    const PrivateKey key = crypto::generate_private_key(random);
    constexpr std::size_t kTimes = 2000;
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < kTimes; ++i)
        (void)derive_public_key(key);
    return nanoseconds_each(begin, kTimes);
}

struct End {
    explicit End(FastRandom& random)
        : aead(crypto::make_aead(crypto::AeadBackend::kSodium))
        , key(crypto::generate_private_key(random))
        , engine({&random, aead.get(), {}}) {}
    std::unique_ptr<crypto::Aead> aead;
    PrivateKey key;
    wg::Engine engine;
};

// `peers` devices call one, which knows them all: how long one initiation takes it, answer and keys included.
// The first is from peers whose static-static secret is not known yet, the second from the same peers again.
void handshake_cost(std::size_t known, double dh, double base) {
    FastRandom random;
    constexpr std::size_t kCallers = 500;
    const wg::Path from{Endpoint::parse("192.0.2.1:1").value(), {}, 0};
    wg::Outbox out;
    End hub(random);
    const PublicKey hub_key = derive_public_key(hub.key);
    std::vector<std::unique_ptr<End>> callers;
    DeviceDelta hub_delta;
    hub_delta.private_key = hub.key.clone();
    for (std::size_t i = 0; i < known; ++i) {
        PeerDelta peer;
        if (i < kCallers) {
            End& caller = *callers.emplace_back(std::make_unique<End>(random));
            peer.public_key = derive_public_key(caller.key);
            DeviceDelta delta;
            delta.private_key = caller.key.clone();
            PeerDelta to_hub;
            to_hub.public_key = hub_key;
            to_hub.endpoint = from.remote;
            delta.peers.push_back(std::move(to_hub));
            (void)caller.engine.apply(std::move(delta), g_now, out);
            caller.engine.set_up(true, g_now, out);
        } else {
            peer.public_key = key_number(i);
        }
        hub_delta.peers.push_back(std::move(peer));
    }
    (void)hub.engine.apply(std::move(hub_delta), g_now, out);
    hub.engine.set_up(true, g_now, out);

    double cost[2] = {};
    for (double& answer : cost) {
        g_now.mono += std::chrono::seconds(300);
        g_now.wall += std::chrono::seconds(300);
        std::vector<Bytes> initiations;
        for (const auto& caller : callers) {
            out.clear();
            // Persistent keepalive turned on: greets, that is, begins a handshake.
            for (std::uint16_t interval : {0, 25}) {
                DeviceDelta delta;
                PeerDelta peer;
                peer.public_key = hub_key;
                peer.persistent_keepalive = interval;
                delta.peers.push_back(std::move(peer));
                (void)caller->engine.apply(std::move(delta), g_now, out);
            }
            for (const auto& datagram : out.datagrams())
                if (datagram.size == wg::kInitiationSize)
                    initiations.emplace_back(out.bytes(datagram).begin(), out.bytes(datagram).end());
        }
        out.clear();
        const std::uint64_t before = hub.engine.counters().responses_sent;
        const auto begin = Clock::now();
        for (const Bytes& initiation : initiations) {
            // Spread over time, as if from everywhere: under load it would ask for cookies.
            g_now.mono += std::chrono::milliseconds(50);
            hub.engine.on_handshake(initiation, from, 0, g_now, out);
            out.clear();
        }
        answer = nanoseconds_each(begin, initiations.size());
        if (hub.engine.counters().responses_sent - before != initiations.size())
            std::printf("only %llu of %zu were answered!\n",
                        static_cast<unsigned long long>(hub.engine.counters().responses_sent - before),
                        initiations.size());
    }
    // es, then ee and se of the response, and its e from the base point; ss only the first time.
    std::printf("| %zu | %.0f (%.2f of the limit) | %.0f (%.2f) |\n", known, 1e9 / cost[0],
                (4 * dh + base) / cost[0], 1e9 / cost[1], (3 * dh + base) / cost[1]);
}

} // namespace

int main() {
    std::printf(
        "| allowed IPs | lookup among four, ns | among all, ns | applied in, ms |\n|---|---|---|---|\n");
    for (std::size_t entries : {1, 100, 10'000, 1'000'000})
        route_cost(entries, true);
    for (std::size_t entries : {100, 10'000, 1'000'000})
        route_cost(entries, false);
    const double dh = dh_cost();
    const double base = base_cost();
    std::printf("\nOne X25519: %.1f us; of the base point: %.1f us.\n\n", dh / 1000, base / 1000);
    std::printf("| peers known | initiations answered a second, first | again |\n|---|---|---|\n");
    for (std::size_t known : {500, 10'000, 65'536})
        handshake_cost(known, dh, base);
    return 0;
}
