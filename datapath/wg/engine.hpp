// SPDX-License-Identifier: MIT
// Engine: one WireGuard device, sans I/O (WireGuard whitepaper, "WG" in comments of this room). Bytes and
// time go in, packets come out: no system call, no clock, no log, randomness injected.
//
// An Engine belongs to one thread, the control thread: configuration, handshakes, cookies, timers. Transport
// packets do not pass here; they go through DataPath (datapath.hpp) on other threads, or on the same one.
//
// The control thread's loop:
//   handshake datagrams (Outcome::kHandshake)       -> on_handshake()
//   next_deadline() reached, or the wake function was called -> service()
//   after each of these: send what is in the Outbox.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/result.hpp"
#include "common/model/device.hpp"
#include "datapath/crypto/aead.hpp"
#include "datapath/wg/datapath.hpp"
#include "datapath/wg/outbox.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::wg {

struct EngineEnvironment {
    Random* random = nullptr;     // used on the control thread only
    crypto::Aead* aead = nullptr; // the control thread's own
    // Called from data threads when the control thread must run service() before its deadline. May be called
    // more often than needed; must not block. Null if one thread does everything and calls service() itself.
    std::function<void()> wake;
};

struct EngineCounters {
    std::uint64_t handshakes_completed = 0;
    std::uint64_t initiations_sent = 0, responses_sent = 0, cookie_replies_sent = 0;
    std::uint64_t initiations_received = 0, responses_received = 0, cookie_replies_received = 0; // accepted
    std::uint64_t handshake_messages_refused = 0;
};

class Engine {
  public:
    explicit Engine(EngineEnvironment environment);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // --- configuration ---
    // Whether apply() would accept it; for callers that must bind a socket first. Errors: kInvalidArgument
    // (too many peers).
    [[nodiscard]] Result<void> check(const DeviceDelta& delta) const;
    // All or nothing. Order of effect as in the kernel: fwmark, listen port, replace_peers, private key,
    // peers. Opening the sockets for a new port or mark is the caller's business.
    Result<void> apply(DeviceDelta delta, Now now, Outbox& out);
    // Everything configured and counted; `name` is left empty. Peers in the order they were added.
    [[nodiscard]] WgDevice snapshot() const;
    void note_listen_port(std::uint16_t port); // the port the caller really got
    void set_mtu(unsigned mtu); // of the TUN; bounds padding. Default kDefaultMtu; below 68, as 68

    // A device starts down. Down: nothing is sent or accepted, sessions and staged packets are forgotten. Up:
    // peers with a persistent keepalive are greeted at once.
    void set_up(bool up, Now now, Outbox& out);
    [[nodiscard]] bool is_up() const;
    // Routes or addresses of the host changed: let the kernel choose every source address again.
    void forget_sources();

    // --- handshakes and time ---
    // A datagram of type 1, 2 or 3. `waiting` is how many more wait behind it in the caller's queue: that,
    // and the rate of initiations, decide whether we are under load (WG 5.3).
    void on_handshake(ByteView datagram, const Path& from, std::size_t waiting, Now now, Outbox& out);
    // Does what data threads asked for and what is due.
    void service(Now now, Outbox& out);
    // When service() must run next if nothing else happens; nullopt: never.
    [[nodiscard]] std::optional<Instant> next_deadline();

    [[nodiscard]] DataPath& data_path();
    [[nodiscard]] const EngineCounters& counters() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wgd::wg
