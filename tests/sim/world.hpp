// SPDX-License-Identifier: MIT
// World: engines on a simulated network under a virtual clock. Everything is driven by one seed, so a failure
// can be run again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "datapath/wg/engine.hpp"
#include "tests/sim/eavesdropper.hpp"

namespace wgd::sim {

using namespace std::chrono_literals;

class SeededRandom : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed)
        : generator_(seed) {}
    void fill(ByteSpan out) override {
        for (std::uint8_t& byte : out)
            byte = static_cast<std::uint8_t>(generator_());
    }
    std::uint64_t next() { return generator_(); }
    double unit() { return std::uniform_real_distribution<double>(0, 1)(generator_); }

  private:
    std::mt19937_64 generator_;
};

// How the network treats a datagram.
struct Weather {
    double loss = 0;
    double duplication = 0;
    Duration latency = 1ms;
    Duration wobble = 0ms; // up to that much more, each on its own: reorders
};

struct Datagram {
    Endpoint from, to;
    Bytes bytes;
    std::uint8_t tos = 0;
};

class World;

// One device with the world around it: a TUN that records, a socket on the simulated network.
class Node {
  public:
    Node(World& world, Endpoint address, std::uint64_t seed);

    wg::Engine& engine() { return *engine_; }
    wg::DataThread& thread() { return *thread_; }
    [[nodiscard]] const PublicKey& key() const { return public_key_; }
    [[nodiscard]] PrivateKey private_key() const { return private_key_.clone(); }
    [[nodiscard]] const Endpoint& address() const { return address_; }
    void move_to(Endpoint address); // roams

    // Through the TUN.
    void send(ByteView inner);
    // As a batch of the TUN.
    void send_many(const std::vector<Bytes>& inner);
    std::vector<Bytes> delivered;    // to the TUN
    std::vector<Bytes> unreachables; // ICMP written back
    std::vector<wg::Drop> dropped;
    std::function<void()> on_delivery; // called for what was delivered, before the control thread's turn
    unsigned wakes = 0;                // how often a data thread asked for the control thread
    std::size_t handshake_backlog = 0; // claimed to be waiting behind every handshake message

    // From the network.
    void receive(const std::vector<Datagram>& batch);

    void apply(DeviceDelta delta);
    void service();
    [[nodiscard]] std::optional<Instant> deadline() { return engine_->next_deadline(); }
    [[nodiscard]] WgPeer peer(const PublicKey& key) const;

  private:
    friend class World;
    void flush();

    World& world_;
    Endpoint address_;
    SeededRandom random_;
    std::unique_ptr<crypto::Aead> control_aead_, data_aead_;
    std::unique_ptr<wg::Engine> engine_;
    std::unique_ptr<wg::DataThread> thread_;
    wg::Outbox outbox_;
    PrivateKey private_key_;
    PublicKey public_key_;
};

class World {
  public:
    explicit World(std::uint64_t seed = 1)
        : random_(seed) {}

    Node& add(const std::string& endpoint, bool up = true);
    // Makes each a peer of the other.
    void introduce(Node& a, const std::string& a_allowed, Node& b, const std::string& b_allowed,
                   bool a_knows_b = true, bool b_knows_a = true);

    [[nodiscard]] wg::Now now() const { return {now_, wall_}; }
    void run_for(Duration duration);
    // Until it holds, or `limit` has passed; whether it holds.
    bool run_until(const std::function<bool()>& holds, Duration limit);
    // Time passes and nobody notices: a suspend.
    void jump(Duration by) {
        now_ += by;
        wall_ += by;
    }
    void set_wall_back(Duration by) { wall_ -= by; }

    void transmit(Datagram datagram); // as if sent by whoever is datagram.from
    // Sees and may change or swallow (return false) every datagram on its way.
    std::function<bool(Datagram&)> middlebox;
    Weather weather;
    Eavesdropper eavesdropper;
    SeededRandom& random() { return random_; }

  private:
    void advance_to(Instant at);
    std::optional<Instant> next_event();

    SeededRandom random_;
    Instant now_{Duration(1000s)};
    WallTime wall_{Duration(1'700'000'000s)};
    std::vector<std::unique_ptr<Node>> nodes_;
    std::multimap<Instant, Datagram> in_flight_;
};

// A UDP packet in IPv4 or IPv6 with `payload` bytes of a pattern of its own, header checksum right.
Bytes inner_packet(const std::string& from, const std::string& to, std::size_t payload, std::uint8_t ecn = 0);

} // namespace wgd::sim
