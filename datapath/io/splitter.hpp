// SPDX-License-Identifier: MIT
// Splitter: from what a TUN with offloads hands out (a virtio-net header and a packet, perhaps a TCP or UDP
// super-packet of 64 KiB, with its checksum still to be done) to packets that can travel. The segments are
// written straight to where they will be sealed; copy and checksum are one pass. Pure: no system call, no
// allocation. Source: Virtual I/O Device 1.2 section 5.1.6, <linux/if_tun.h>.
#pragma once

#include <cstdint>

#include "common/base/bytes.hpp"
#include "datapath/io/inner_header.hpp"
#include "datapath/io/vnet_header.hpp"

namespace wgd::io {

class Splitter {
  public:
    // Looks at one packet as read from the TUN; both must outlive the segments. False: damaged or of a kind
    // that was not asked for; drop it.
    [[nodiscard]] bool begin(const VnetHeader& vnet, ByteView packet);

    [[nodiscard]] std::size_t count() const { return count_; }
    // Bytes of segment `index`; all but the last are equally long.
    [[nodiscard]] std::size_t segment_size(std::size_t index) const;
    // Writes segment `index`, segment_size(index) bytes, complete with lengths and checksums.
    void write(std::size_t index, std::uint8_t* to) const;

  private:
    enum class Kind : std::uint8_t { kWhole, kWholeChecksum, kTcp, kUdp };

    void write_segment(std::size_t index, std::uint8_t* to) const;

    Kind kind_ = Kind::kWhole;
    ByteView packet_;
    InnerHeader header_;
    std::size_t payload_per_segment_ = 0;
    std::size_t count_ = 0;
    std::uint16_t checksum_start_ = 0;
    std::uint16_t checksum_at_ = 0; // from the beginning of the packet
};

} // namespace wgd::io
