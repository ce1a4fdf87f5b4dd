// SPDX-License-Identifier: MIT
// DataPath: the part of the protocol that runs for every packet, on any number of threads at once:
// longest-prefix routing, sealing and opening of transport messages (WG 5.4.6), the replay window, roaming.
// It takes no lock, allocates nothing and makes no system call.
//
// How it fits with the Engine. Peers, keypairs and tables are made, replaced and retired by the Engine on the
// control thread. A data thread holds a DataThread; between two calls of quiescent() (or from online() to
// offline()) whatever it was handed stays valid. What a data thread learns (traffic seen, a session
// confirmed, a rekey due) it writes into atomics of the peer, puts the peer on the attention list, and calls
// the wake function only if the control thread would otherwise act too late.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "datapath/crypto/aead.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::wg {

class Peer;
struct DataPathState; // shared tables; datapath_state.hpp
struct ReaderSlot;    // reclaimer.hpp

inline constexpr std::size_t kTransportHeaderSize = 16; // type, reserved, receiver index, counter
inline constexpr std::size_t kTransportOverhead = kTransportHeaderSize + crypto::kAeadTagSize;
inline constexpr std::size_t kPaddingUnit = 16;
// Room a buffer needs behind a plaintext that starts kTransportHeaderSize bytes into it.
inline constexpr std::size_t kSealTailRoom = kPaddingUnit - 1 + crypto::kAeadTagSize;
inline constexpr std::size_t kMaxStagedPackets = 128; // per peer, oldest dropped first

// Why a packet went no further. Counted per DataPath.
enum class Drop : std::uint8_t {
    kNone,
    kMalformed,      // not a WireGuard message, or its length is impossible
    kUnknownSession, // no keypair with that receiver index
    kExpired,        // keypair past REJECT_AFTER_TIME or REJECT_AFTER_MESSAGES
    kForged,         // the tag is wrong
    kReplayed,       // counter seen before or older than the window
    kBadInner,       // not IPv4 or IPv6, or shorter than its own header says
    kBadSource,      // the inner source is not one of this peer's allowed IPs
    kBadEcn,         // congestion mark on a packet that cannot carry one (RFC 6040)
    kDown,           // the interface is down
    kNoRoute,        // no peer's allowed IPs match the destination
    kNoEndpoint,     // the peer has none yet
    kStagingFull,    // pushed out of a full staging queue
    kCount
};
[[nodiscard]] std::string_view to_string(Drop drop); // "bad-source"

// One inner packet to seal, in place. buffer[kTransportHeaderSize..+inner_size) is the packet (inner_size 0:
// a keepalive); kSealTailRoom more bytes follow it.
struct OutPacket {
    std::uint8_t* buffer = nullptr;
    std::uint32_t inner_size = 0;
    std::uint32_t datagram_size = 0; // out: bytes of the datagram that now begins at `buffer`
    std::uint8_t tos = 0;            // out: for the outer header; the inner ECN bits, no DSCP (RFC 6040)
};

enum class SealStatus : std::uint8_t {
    kSealed,
    kNoSession,  // hand copies to stage(); the control thread is asked for a handshake by that
    kNoEndpoint, // answer with unreachable()
    kDown,
};

struct SealResult {
    SealStatus status = SealStatus::kNoSession;
    std::size_t sealed =
        0;     // packets [0, sealed) are datagrams now; all of them, unless the key ran out half way
    Path path; // where they go; meaningful if sealed > 0
};

enum class Outcome : std::uint8_t {
    kDeliver,   // inner/inner_size is an IP packet for the TUN
    kKeepalive, // authentic and empty
    kHandshake, // types 1 to 3: hand the datagram (unchanged) to Engine::on_handshake()
    kDropped,   // see `drop`
};

// One received datagram, opened in place.
struct InPacket {
    std::uint8_t* data = nullptr;
    std::uint32_t size = 0;
    std::uint8_t tos = 0; // of the outer header (IP_RECVTOS); only the ECN bits matter
    const Path* from =
        nullptr; // remote: the sender; local/local_ifindex: where it arrived. One may serve a batch
    // out:
    Outcome outcome = Outcome::kDropped;
    Drop drop = Drop::kNone;
    std::uint8_t* inner = nullptr;
    std::uint32_t inner_size = 0;
};

class DataPath;

// A data thread's ticket. Made on any thread, then used by one. While online it holds back the freeing of
// what it might still be looking at, so: quiescent() once per batch, offline() before blocking, online()
// after.
class DataThread {
  public:
    DataThread(DataThread&&) noexcept;
    DataThread& operator=(DataThread&&) = delete;
    ~DataThread();

    void quiescent(); // I hold no Peer*
    void offline();   // the same, and I am about to block
    void online();    // to be called before the first route(), seal() or open() and after every offline()

    // --- TX ---
    // The peer whose allowed IPs contain the destination of this IPv4 or IPv6 packet, by longest match; null
    // if there is none or it is not an IP packet.
    [[nodiscard]] Peer* route(ByteView inner_packet) const;
    [[nodiscard]] Peer* route(Family family, const std::uint8_t* destination) const; // 4 or 16 bytes

    // Seals packets of one peer, in order, with consecutive counters.
    [[nodiscard]] SealResult seal(Peer& peer, std::span<OutPacket> packets, Now now);

    // Keeps a copy of a packet until there is a session and asks for the handshake. Copies under a mutex of
    // its own: this is the way of the packets that cannot be sent.
    void stage(Peer& peer, ByteView inner_packet, Now now);

    // Writes the ICMP or ICMPv6 "destination unreachable" for a packet that has no route or no endpoint, as
    // the inner packet to give back to the TUN. Returns its size, 0 if none is due (RFC 1122 3.2.2, RFC
    // 4443 2.4: never about an error, a multicast or a fragment) or too many were sent.
    [[nodiscard]] std::size_t unreachable(ByteView inner_packet, Drop why, Now now,
                                          std::span<std::uint8_t, 576> out);

    // --- RX ---
    // Opens a batch and fills the out fields; order is kept. Runs of one receiver index are opened as a
    // burst.
    void open(std::span<InPacket> packets, Now now);

    // Sending from path.local failed (the address went away): let the kernel choose from now on.
    void forget_source(Peer& peer);

  private:
    friend class DataPath;
    friend class Engine;
    DataThread(DataPathState& state, crypto::Aead& aead);

    DataPathState* state_;
    crypto::Aead* aead_;
    ReaderSlot* slot_;
};

// Thread-safe. Lives as long as its Engine; DataThreads must go first.
class DataPath {
  public:
    // `aead` is that thread's own (an Aead has scratch space) and must outlive the DataThread.
    [[nodiscard]] DataThread attach(crypto::Aead& aead);

    [[nodiscard]] std::uint64_t drops(Drop reason) const;

  private:
    friend class Engine;
    explicit DataPath(DataPathState& state)
        : state_(&state) {}
    DataPathState* state_;
};

} // namespace wgd::wg
