// SPDX-License-Identifier: MIT
// The virtio-net header in front of every packet of a TUN with offloads: 10 bytes, numbers in the machine's
// own order. Written out here because <linux/virtio_net.h> is not C++ (a member is called `class`), and to
// have UDP_L4 with the headers of older kernels. Source: Virtual I/O Device 1.2 section 5.1.6.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wgd::io {

struct VnetHeader {
    static constexpr std::uint8_t kNeedsChecksum =
        1; // flags: sum from checksum_start on, put it at + checksum_offset
    static constexpr std::uint8_t kGsoNone = 0; // gso_type
    static constexpr std::uint8_t kGsoTcp4 = 1;
    static constexpr std::uint8_t kGsoTcp6 = 4;
    static constexpr std::uint8_t kGsoUdpL4 = 5; // Linux 6.2
    static constexpr std::uint8_t kGsoEcn = 0x80;

    std::uint8_t flags = 0;
    std::uint8_t gso_type = kGsoNone;
    std::uint16_t header_length = 0; // a hint: how much to keep in one piece
    std::uint16_t gso_size = 0;      // payload of every segment but the last
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
};
inline constexpr std::size_t kVnetHeaderSize = sizeof(VnetHeader);
static_assert(kVnetHeaderSize == 10);

} // namespace wgd::io
