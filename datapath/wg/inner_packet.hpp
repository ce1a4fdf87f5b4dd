// SPDX-License-Identifier: MIT
// The inner packet: just enough of IPv4 and IPv6 to route, trim and mark it.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/bytes.hpp"
#include "common/base/ip.hpp"

namespace wgd::wg {

inline constexpr std::size_t kIpv4HeaderSize = 20;
inline constexpr std::size_t kIpv6HeaderSize = 40;

// A view on a packet whose own length field lies between its header and its size.
struct InnerPacket {
    Family family;
    std::uint32_t size; // by its own header, padding excluded
    const std::uint8_t* source;
    const std::uint8_t* destination;
};
[[nodiscard]] std::optional<InnerPacket> parse_inner(ByteView packet);

// Explicit congestion notification over the tunnel (RFC 6040, normal mode).
inline constexpr std::uint8_t kEcnMask = 3, kEcnNotEct = 0, kEcnEct1 = 1, kEcnEct0 = 2, kEcnCe = 3;
// The outer TOS of a packet to be sent: its ECN bits. 0 for something that is not IP.
[[nodiscard]] std::uint8_t outer_tos(ByteView packet);
// Carries a congestion mark of the outer header over to the packet. False: it must be dropped (marked, but
// the inner transport does not understand marks).
[[nodiscard]] bool decapsulate_ecn(ByteSpan packet, std::uint8_t outer_tos);

} // namespace wgd::wg
