// SPDX-License-Identifier: MIT
#include "datapath/wg/inner_packet.hpp"

namespace wgd::wg {
namespace {

std::uint8_t inner_ecn(ByteView packet) {
    if ((packet[0] >> 4) == 4) return packet[1] & kEcnMask;
    return (packet[1] >> 4) & kEcnMask; // the traffic class straddles bytes 0 and 1
}

void set_ipv4_tos(ByteSpan packet, std::uint8_t tos) {
    // RFC 1624, equation 3: HC' = ~(~HC + ~m + m') for the 16-bit word of version, header length and TOS.
    const auto before = load_be<std::uint16_t>(packet.data());
    packet[1] = tos;
    const auto after = load_be<std::uint16_t>(packet.data());
    std::uint32_t sum = static_cast<std::uint16_t>(~load_be<std::uint16_t>(packet.data() + 10));
    sum += static_cast<std::uint16_t>(~before);
    sum += after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store_be<std::uint16_t>(packet.data() + 10, static_cast<std::uint16_t>(~sum));
}

void set_ecn(ByteSpan packet, std::uint8_t ecn) {
    if ((packet[0] >> 4) == 4)
        set_ipv4_tos(packet, static_cast<std::uint8_t>((packet[1] & ~kEcnMask) | ecn));
    else
        packet[1] = static_cast<std::uint8_t>((packet[1] & ~(kEcnMask << 4)) | (ecn << 4));
}

} // namespace

std::optional<InnerPacket> parse_inner(ByteView packet) {
    if (packet.empty()) return std::nullopt;
    const std::uint8_t* data = packet.data();
    if ((data[0] >> 4) == 4 && packet.size() >= kIpv4HeaderSize) {
        const std::uint32_t size = load_be<std::uint16_t>(data + 2);
        if (size < kIpv4HeaderSize || size > packet.size()) return std::nullopt;
        return InnerPacket{Family::kIpv4, size, data + 12, data + 16};
    }
    if ((data[0] >> 4) == 6 && packet.size() >= kIpv6HeaderSize) {
        const std::uint32_t size = kIpv6HeaderSize + load_be<std::uint16_t>(data + 4);
        if (size > packet.size()) return std::nullopt;
        return InnerPacket{Family::kIpv6, size, data + 8, data + 24};
    }
    return std::nullopt;
}

std::uint8_t outer_tos(ByteView packet) {
    return packet.size() < kIpv4HeaderSize ? 0 : inner_ecn(packet);
}

bool decapsulate_ecn(ByteSpan packet, std::uint8_t outer) {
    const std::uint8_t outer_ecn = outer & kEcnMask;
    const std::uint8_t inner = inner_ecn(packet);
    if (outer_ecn == kEcnCe) {
        if (inner == kEcnNotEct) return false;
        if (inner != kEcnCe) set_ecn(packet, kEcnCe);
    } else if (outer_ecn == kEcnEct1 && inner == kEcnEct0) {
        set_ecn(packet, kEcnEct1); // RFC 6040, figure 4
    }
    return true;
}

} // namespace wgd::wg
