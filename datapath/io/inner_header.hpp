// SPDX-License-Identifier: MIT
// The headers of an inner packet, as far as the offloads look: IPv4 without options or IPv6 without extension
// headers, then TCP or UDP. Anything else is "not ours to split or join" and passes through whole.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/bytes.hpp"
#include "datapath/io/checksum.hpp"

namespace wgd::io {

inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kUdpHeader = 8;
inline constexpr std::size_t kTcpHeader = 20;

// TCP flag bits (RFC 9293 3.1).
inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpUrg = 0x20;
inline constexpr std::uint8_t kTcpEce = 0x40;
inline constexpr std::uint8_t kTcpCwr = 0x80;

struct InnerHeader {
    bool v6 = false;
    std::uint8_t protocol = 0;        // TCP or UDP
    std::uint16_t network_size = 0;   // bytes of the IP header
    std::uint16_t transport_size = 0; // bytes of the TCP or UDP header
    [[nodiscard]] std::size_t size() const { return std::size_t{network_size} + transport_size; }
};

// Nullopt for what the offloads leave alone: other protocols, IP options, extension headers, fragments,
// headers that do not fit. Lengths in the IP and UDP headers are not looked at.
[[nodiscard]] inline std::optional<InnerHeader> parse_inner_header(ByteView packet) {
    if (packet.size() < kIpv4Header) return std::nullopt;
    const std::uint8_t* p = packet.data();
    InnerHeader header;
    if (p[0] == 0x45) {
        if ((load_be<std::uint16_t>(p + 6) & 0x3fff) != 0) // more fragments, or an offset
            return std::nullopt;
        header.network_size = kIpv4Header;
        header.protocol = p[9];
    } else if ((p[0] >> 4) == 6 && packet.size() >= kIpv6Header) {
        header.v6 = true;
        header.network_size = kIpv6Header;
        header.protocol = p[6];
    } else {
        return std::nullopt;
    }
    const std::size_t left = packet.size() - header.network_size;
    const std::uint8_t* transport = p + header.network_size;
    if (header.protocol == kProtocolTcp && left >= kTcpHeader) {
        header.transport_size = static_cast<std::uint16_t>((transport[12] >> 4) * 4);
        if (header.transport_size < kTcpHeader || header.transport_size > left) return std::nullopt;
        return header;
    }
    if (header.protocol == kProtocolUdp && left >= kUdpHeader) {
        header.transport_size = kUdpHeader;
        return header;
    }
    return std::nullopt;
}

// Sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) for `transport_length` bytes of TCP or UDP.
[[nodiscard]] inline std::uint64_t pseudo_header_sum(const std::uint8_t* packet, const InnerHeader& header,
                                                     std::size_t transport_length) {
    const std::uint64_t addresses =
        header.v6 ? checksum_add_header<32>(packet + 8, 0) : checksum_add_header<8>(packet + 12, 0);
    return addresses + checksum_word(header.protocol) +
           checksum_word(static_cast<std::uint16_t>(transport_length));
}

// Where the transport checksum stands, from the beginning of the transport header.
[[nodiscard]] inline std::uint16_t checksum_offset(const InnerHeader& header) {
    return header.protocol == kProtocolTcp ? 16 : 6;
}

inline void store_ipv4_checksum(std::uint8_t* packet) {
    packet[10] = packet[11] = 0;
    checksum_store(packet + 10,
                   static_cast<std::uint16_t>(~checksum_fold(checksum_add_header<kIpv4Header>(packet, 0))));
}

} // namespace wgd::io
