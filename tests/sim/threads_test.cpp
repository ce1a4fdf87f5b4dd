// SPDX-License-Identifier: MIT
// Real threads: two senders, two receivers and a control thread on each side, while sessions are renewed,
// peers come and go and the routes change under them. What counts is what ThreadSanitizer and
// AddressSanitizer say (presets tsan and asan); here: every packet at most once, and most of them.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "datapath/crypto/x25519.hpp"
#include "tests/sim/world.hpp"

using namespace wgd;
using namespace wgd::sim;

namespace {

// Datagrams from one side to the other.
class Pipe {
  public:
    void push(std::vector<Bytes> datagrams) {
        {
            const std::lock_guard lock(mutex_);
            for (Bytes& datagram : datagrams)
                queue_.push_back(std::move(datagram));
        }
        arrived_.notify_one();
    }
    // Up to 32 at a time; empty when closed.
    std::vector<Bytes> pop() {
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [&] { return closed_ || !queue_.empty(); });
        std::vector<Bytes> batch;
        while (!queue_.empty() && batch.size() < 32) {
            batch.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return batch;
    }
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        arrived_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Bytes> queue_;
    bool closed_ = false;
};

std::atomic<std::int64_t> g_time{1'000'000'000'000};
wg::Now now() {
    const Duration time(g_time.load());
    return {Instant(time), WallTime(time + 1'000'000s)};
}

struct Side {
    explicit Side(std::uint64_t seed, Endpoint at)
        : address(at)
        , random(seed)
        , aead(crypto::make_aead(crypto::AeadBackend::kSodium))
        , key(crypto::generate_private_key(random))
        , engine({&random, aead.get(), [this] { ++wakes; }}) {}

    Endpoint address;
    SeededRandom random;
    std::unique_ptr<crypto::Aead> aead;
    PrivateKey key;
    std::atomic<unsigned> wakes{0};
    wg::Engine engine;
    Pipe inbox;
    std::mutex handshakes_mutex;
    std::vector<Bytes> handshakes;
    std::atomic<unsigned> delivered{0};
    std::vector<std::atomic<std::uint8_t>> seen = std::vector<std::atomic<std::uint8_t>>(200'000);
    std::atomic<unsigned> refused{0}; // configurations; Catch's macros belong to the main thread
};

void transmit(Side& side, Side& other, const Bytes& model, std::uint32_t from, std::uint32_t to) {
    const auto aead = crypto::make_aead(crypto::AeadBackend::kSodium);
    wg::DataThread thread = side.engine.data_path().attach(*aead);
    thread.online();
    for (std::uint32_t number = from; number < to;) {
        std::vector<Bytes> buffers;
        std::vector<wg::OutPacket> packets;
        for (int i = 0; i < 8 && number < to; ++i, ++number) {
            Bytes buffer(16 + model.size() + wg::kSealTailRoom);
            std::copy(model.begin(), model.end(), buffer.begin() + 16);
            store_be<std::uint32_t>(buffer.data() + 16 + 28, number);
            buffers.push_back(std::move(buffer));
        }
        for (Bytes& buffer : buffers)
            packets.push_back({buffer.data(), static_cast<std::uint32_t>(model.size())});
        if (wg::Peer* peer = thread.route(model)) {
            const wg::SealResult result = thread.seal(*peer, packets, now());
            std::vector<Bytes> sealed;
            for (std::size_t i = 0; i < result.sealed; ++i)
                sealed.emplace_back(packets[i].buffer, packets[i].buffer + packets[i].datagram_size);
            for (std::size_t i = result.sealed; i < packets.size(); ++i)
                thread.stage(*peer, {packets[i].buffer + 16, packets[i].inner_size}, now());
            other.inbox.push(std::move(sealed));
        }
        thread.quiescent();
        g_time += 10'000'000; // all threads together: five minutes of protocol time, so sessions are renewed
        if (number % 256 == 0) std::this_thread::yield();
    }
    thread.offline();
}

void receive(Side& side) {
    const auto aead = crypto::make_aead(crypto::AeadBackend::kSodium);
    wg::DataThread thread = side.engine.data_path().attach(*aead);
    const wg::Path from{side.address, {}, 0}; // close enough: the endpoint does not matter here
    for (;;) {
        std::vector<Bytes> batch = side.inbox.pop();
        if (batch.empty()) return;
        std::vector<wg::InPacket> packets(batch.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            packets[i].data = batch[i].data();
            packets[i].size = static_cast<std::uint32_t>(batch[i].size());
            packets[i].from = &from;
        }
        thread.online();
        thread.open(packets, now());
        thread.offline();
        for (std::size_t i = 0; i < packets.size(); ++i) {
            if (packets[i].outcome == wg::Outcome::kDeliver) {
                ++side.delivered;
                ++side.seen[load_be<std::uint32_t>(packets[i].inner + 28)];
            } else if (packets[i].outcome == wg::Outcome::kHandshake) {
                const std::lock_guard lock(side.handshakes_mutex);
                side.handshakes.push_back(std::move(batch[i]));
            }
        }
    }
}

void control(Side& side, Side& other, const std::atomic<bool>& stop) {
    wg::Outbox out;
    SeededRandom dice(5);
    while (!stop) {
        std::vector<Bytes> handshakes;
        {
            const std::lock_guard lock(side.handshakes_mutex);
            handshakes.swap(side.handshakes);
        }
        for (const Bytes& message : handshakes)
            side.engine.on_handshake(message, {other.address, {}, 0}, 0, now(), out);
        side.engine.service(now(), out);
        (void)side.engine.next_deadline();
        // Other peers come and go; one of them takes a prefix that covers, but is not, the busy one.
        DeviceDelta delta;
        PeerDelta peer;
        std::array<std::uint8_t, 32> bytes{};
        bytes[0] = static_cast<std::uint8_t>(dice.next() % 8);
        peer.public_key = PublicKey(bytes);
        peer.remove = dice.next() % 3 == 0;
        peer.allowed_ips.push_back(
            {IpPrefix::make(IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(dice.next())}),
                            static_cast<unsigned>(8 + dice.next() % 20))
                 .value()});
        delta.peers.push_back(std::move(peer));
        if (!side.engine.apply(std::move(delta), now(), out)) ++side.refused;
        (void)side.engine.snapshot();
        std::vector<Bytes> datagrams;
        for (const auto& datagram : out.datagrams()) {
            const ByteView view = out.bytes(datagram);
            datagrams.emplace_back(view.begin(), view.end());
        }
        out.clear();
        other.inbox.push(std::move(datagrams));
        std::this_thread::yield();
    }
}

} // namespace

TEST_CASE("data threads and control threads at once", "[threads]") {
    Side a(1, Endpoint::parse("192.0.2.1:1").value()), b(2, Endpoint::parse("192.0.2.2:1").value());
    wg::Outbox out;
    for (auto [side, other, prefix] :
         {std::tuple{&a, &b, "10.0.0.2/32"}, std::tuple{&b, &a, "10.0.0.1/32"}}) {
        DeviceDelta delta;
        delta.private_key = side->key.clone();
        PeerDelta peer;
        peer.public_key = derive_public_key(other->key);
        peer.endpoint = other->address;
        peer.allowed_ips.push_back({IpPrefix::parse(prefix).value()});
        delta.peers.push_back(std::move(peer));
        REQUIRE(side->engine.apply(std::move(delta), now(), out));
        side->engine.set_up(true, now(), out);
    }
    constexpr std::uint32_t kPackets = 60'000;
    std::atomic<bool> stop{false};
    std::vector<std::thread> receivers, controls, senders;
    for (Side* side : {&a, &b})
        for (int i = 0; i < 2; ++i)
            receivers.emplace_back([side] { receive(*side); });
    controls.emplace_back([&] { control(a, b, stop); });
    controls.emplace_back([&] { control(b, a, stop); });
    const Bytes forth = inner_packet("10.0.0.1", "10.0.0.2", 60);
    const Bytes back = inner_packet("10.0.0.2", "10.0.0.1", 60);
    for (std::uint32_t i = 0; i < 2; ++i) {
        senders.emplace_back([&, i] { transmit(a, b, forth, i * kPackets, (i + 1) * kPackets); });
        senders.emplace_back([&, i] { transmit(b, a, back, i * kPackets, (i + 1) * kPackets); });
    }
    for (std::thread& thread : senders)
        thread.join();
    stop = true;
    for (std::thread& thread : controls)
        thread.join();
    a.inbox.close();
    b.inbox.close();
    for (std::thread& thread : receivers)
        thread.join();

    for (Side* side : {&a, &b}) {
        unsigned twice = 0;
        for (const auto& count : side->seen)
            twice += count > 1 ? 1 : 0;
        CHECK(twice == 0);
        CHECK(side->refused == 0);
        CHECK(side->delivered > kPackets); // of 2 * kPackets; what is lost was staged too long
        CHECK(side->engine.counters().handshakes_completed >= 2);
    }
}
