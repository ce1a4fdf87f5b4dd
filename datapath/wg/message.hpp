// SPDX-License-Identifier: MIT
// The four messages as they are on the wire (WG 5.4.2, 5.4.3, 5.4.6, 5.4.7): sizes, offsets, and the fields
// that the handshake does not cover. All integers are little-endian; the three bytes after the type are
// reserved and zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "common/base/bytes.hpp"

namespace wgd::wg {

enum class MessageType : std::uint8_t { kInitiation = 1, kResponse = 2, kCookieReply = 3, kTransport = 4 };

inline constexpr std::size_t kInitiationSize = 148;
inline constexpr std::size_t kResponseSize = 92;
inline constexpr std::size_t kCookieReplySize = 64;
inline constexpr std::size_t kMinTransportSize = 32; // an empty packet: a keepalive

// type u32 | sender u32 | ephemeral 32 | static 32+16 | timestamp 12+16 | mac1 16 | mac2 16
inline constexpr std::size_t kInitiationNoiseOffset = 8;
inline constexpr std::size_t kInitiationNoiseSize = 32 + 48 + 28;
// type u32 | sender u32 | receiver u32 | ephemeral 32 | empty 0+16 | mac1 16 | mac2 16
inline constexpr std::size_t kResponseNoiseOffset = 12;
inline constexpr std::size_t kResponseNoiseSize = 32 + 16;
// type u32 | receiver u32 | nonce 24 | cookie 16+16
inline constexpr std::size_t kCookieNonceOffset = 8;
inline constexpr std::size_t kCookieNonceSize = 24;
inline constexpr std::size_t kCookieOffset = 32;
inline constexpr std::size_t kCookieSize = 16;
// Both macs are the last 32 bytes of an initiation or response.
inline constexpr std::size_t kMacsSize = 32;

// The type of a datagram whose length is right for it; nullopt for everything else.
[[nodiscard]] std::optional<MessageType> classify(ByteView datagram);

// type u32 | receiver u32 | counter u64 | packet ... | tag 16
inline void write_transport_header(std::uint8_t* to, std::uint32_t receiver, std::uint64_t counter) {
    store_le<std::uint32_t>(to, static_cast<std::uint32_t>(MessageType::kTransport));
    store_le<std::uint32_t>(to + 4, receiver);
    store_le<std::uint64_t>(to + 8, counter);
}

inline void write_type(ByteSpan message, MessageType type) {
    store_le<std::uint32_t>(message.data(), static_cast<std::uint32_t>(type));
}
// Of an initiation or response: the sender's index for this session.
[[nodiscard]] inline std::uint32_t sender_index(ByteView message) {
    return load_le<std::uint32_t>(message.data() + 4);
}
// Of a response; of a cookie reply and transport message the receiver index is where the sender's is.
[[nodiscard]] inline std::uint32_t response_receiver_index(ByteView message) {
    return load_le<std::uint32_t>(message.data() + 8);
}
[[nodiscard]] inline std::uint32_t receiver_index(ByteView message) {
    return load_le<std::uint32_t>(message.data() + 4);
}

} // namespace wgd::wg
