// SPDX-License-Identifier: MIT
// Inner packets for the tests, and the simple-minded versions of what the datapath does cleverly: written
// from the RFCs byte by byte, sharing no code with it.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.hpp"

namespace wgd::test {

// RFC 1071, 16 bits at a time.
inline std::uint16_t naive_sum(const Bytes& data, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < data.size(); i += 2) {
        sum += static_cast<std::uint32_t>(data[i]) << 8;
        if (i + 1 < data.size()) sum += data[i + 1];
        sum = (sum >> 16) + (sum & 0xffff);
    }
    return static_cast<std::uint16_t>((sum >> 16) + (sum & 0xffff));
}

struct Flow {
    bool v6 = false;
    bool tcp = true;
    std::uint8_t source = 1;
    std::uint8_t destination = 2;
    std::uint16_t source_port = 1000;
    std::uint16_t destination_port = 2000;
    bool dont_fragment = true;
    std::uint8_t options = 12; // bytes of TCP options
};

inline void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}
inline void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    put16(bytes, at, value >> 16);
    put16(bytes, at + 2, value & 0xffff);
}

inline std::size_t network_size(const Flow& flow) {
    return flow.v6 ? 40 : 20;
}
inline std::size_t header_size(const Flow& flow) {
    return network_size(flow) + (flow.tcp ? 20U + flow.options : 8U);
}

inline Bytes pseudo_header(const Bytes& packet, const Flow& flow) {
    const std::size_t transport = packet.size() - network_size(flow);
    Bytes pseudo(packet.begin() + (flow.v6 ? 8 : 12), packet.begin() + (flow.v6 ? 40 : 20));
    for (int shift = 24; shift >= 0; shift -= 8)
        pseudo.push_back(static_cast<std::uint8_t>(transport >> shift));
    pseudo.insert(pseudo.end(), {0, 0, 0, static_cast<std::uint8_t>(flow.tcp ? 6 : 17)});
    return pseudo;
}

// Lengths and checksums of a packet whose other fields are set.
inline void complete(Bytes& packet, const Flow& flow) {
    const std::size_t network = network_size(flow);
    if (flow.v6) {
        put16(packet, 4, static_cast<std::uint32_t>(packet.size() - 40));
    } else {
        put16(packet, 2, static_cast<std::uint32_t>(packet.size()));
        put16(packet, 10, 0);
        put16(packet, 10, static_cast<std::uint16_t>(~naive_sum(Bytes(packet.begin(), packet.begin() + 20))));
    }
    if (!flow.tcp) put16(packet, network + 4, static_cast<std::uint32_t>(packet.size() - network));
    const std::size_t field = network + (flow.tcp ? 16 : 6);
    put16(packet, field, 0);
    const std::uint16_t sum =
        naive_sum(Bytes(packet.begin() + static_cast<std::ptrdiff_t>(network), packet.end()),
                  naive_sum(pseudo_header(packet, flow)));
    auto checksum = static_cast<std::uint16_t>(~sum);
    if (checksum == 0 && !flow.tcp) checksum = 0xffff;
    put16(packet, field, checksum);
}

inline Bytes make_packet(const Flow& flow, std::uint32_t sequence, std::uint8_t tcp_flags, std::uint16_t id,
                         const Bytes& payload) {
    Bytes packet(header_size(flow));
    const std::size_t network = network_size(flow);
    if (flow.v6) {
        packet[0] = 0x60;
        packet[6] = flow.tcp ? 6 : 17;
        packet[7] = 64;
        packet[8] = packet[24] = 0xfd;
        packet[23] = flow.source;
        packet[39] = flow.destination;
    } else {
        packet[0] = 0x45;
        put16(packet, 4, id);
        packet[6] = flow.dont_fragment ? 0x40 : 0;
        packet[8] = 64;
        packet[9] = flow.tcp ? 6 : 17;
        packet[12] = packet[16] = 10;
        packet[15] = flow.source;
        packet[19] = flow.destination;
    }
    put16(packet, network, flow.source_port);
    put16(packet, network + 2, flow.destination_port);
    if (flow.tcp) {
        put32(packet, network + 4, sequence);
        put32(packet, network + 8, 77); // acknowledgement
        packet[network + 12] = static_cast<std::uint8_t>((20 + flow.options) / 4 << 4);
        packet[network + 13] = tcp_flags;
        put16(packet, network + 14, 502);
        for (std::size_t i = 0; i < flow.options; ++i)
            packet[network + 20 + i] = 1; // NOP
    }
    packet.insert(packet.end(), payload.begin(), payload.end());
    complete(packet, flow);
    return packet;
}

} // namespace wgd::test
