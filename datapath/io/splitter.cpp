// SPDX-License-Identifier: MIT
#include "datapath/io/splitter.hpp"

#include <algorithm>

namespace wgd::io {

bool Splitter::begin(const VnetHeader& vnet, ByteView packet) {
    packet_ = packet;
    count_ = 1;
    if (packet.empty()) return false;

    const auto gso_type = static_cast<std::uint8_t>(vnet.gso_type & ~VnetHeader::kGsoEcn);
    if (gso_type == VnetHeader::kGsoNone) {
        if ((vnet.flags & VnetHeader::kNeedsChecksum) == 0) {
            kind_ = Kind::kWhole;
            return true;
        }
        kind_ = Kind::kWholeChecksum;
        checksum_start_ = vnet.checksum_start;
        const std::size_t at = std::size_t{vnet.checksum_start} + vnet.checksum_offset;
        if (at + 2 > packet.size()) return false;
        checksum_at_ = static_cast<std::uint16_t>(at);
        return true;
    }

    const auto header = parse_inner_header(packet);
    if (!header || vnet.gso_size == 0 || packet.size() <= header->size()) return false;
    header_ = *header;
    if (gso_type == VnetHeader::kGsoTcp4 && header->protocol == kProtocolTcp && !header->v6)
        kind_ = Kind::kTcp;
    else if (gso_type == VnetHeader::kGsoTcp6 && header->protocol == kProtocolTcp && header->v6)
        kind_ = Kind::kTcp;
    else if (gso_type == VnetHeader::kGsoUdpL4 && header->protocol == kProtocolUdp)
        kind_ = Kind::kUdp;
    else
        return false;
    payload_per_segment_ = vnet.gso_size;
    const std::size_t payload = packet.size() - header->size();
    count_ = (payload + payload_per_segment_ - 1) / payload_per_segment_;
    return true;
}

std::size_t Splitter::segment_size(std::size_t index) const {
    if (kind_ == Kind::kWhole || kind_ == Kind::kWholeChecksum) return packet_.size();
    const std::size_t payload = packet_.size() - header_.size();
    return header_.size() + std::min(payload_per_segment_, payload - index * payload_per_segment_);
}

void Splitter::write(std::size_t index, std::uint8_t* to) const {
    switch (kind_) {
    case Kind::kWhole:
        std::memcpy(to, packet_.data(), packet_.size());
        return;
    case Kind::kWholeChecksum: {
        // The field holds the pseudo header's sum already; sum up everything from checksum_start on, that
        // field included.
        std::memcpy(to, packet_.data(), checksum_start_);
        const std::uint64_t sum = checksum_copy(to + checksum_start_, packet_.data() + checksum_start_,
                                                packet_.size() - checksum_start_, 0);
        auto folded = static_cast<std::uint16_t>(~checksum_fold(sum));
        if (folded == 0)
            folded = 0xffff; // RFC 768: a transmitted zero means "none"; for TCP both are the same number
        checksum_store(to + checksum_at_, folded);
        return;
    }
    case Kind::kTcp:
    case Kind::kUdp:
        write_segment(index, to);
        return;
    }
}

void Splitter::write_segment(std::size_t index, std::uint8_t* to) const {
    const std::size_t size = segment_size(index);
    const std::size_t payload = size - header_.size();
    const std::size_t payload_at = header_.size() + index * payload_per_segment_;
    const bool last = index + 1 == count_;
    std::uint8_t* const transport = to + header_.network_size;

    std::memcpy(to, packet_.data(), header_.size());
    if (header_.v6) {
        store_be(to + 4, static_cast<std::uint16_t>(size - kIpv6Header));
    } else {
        store_be(to + 2, static_cast<std::uint16_t>(size));
        const auto id = static_cast<std::uint16_t>(load_be<std::uint16_t>(to + 4) + index);
        store_be(to + 4, id);
        store_ipv4_checksum(to);
    }
    if (kind_ == Kind::kTcp) {
        const auto sequence =
            static_cast<std::uint32_t>(load_be<std::uint32_t>(transport + 4) + index * payload_per_segment_);
        store_be(transport + 4, sequence);
        if (!last) transport[13] &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPsh));
        if (index > 0)
            transport[13] &= static_cast<std::uint8_t>(~kTcpCwr); // RFC 3168 6.1.2: on the first only
    } else {
        store_be(transport + 4, static_cast<std::uint16_t>(header_.transport_size + payload));
    }

    std::uint8_t* const field = transport + checksum_offset(header_);
    field[0] = field[1] = 0;
    std::uint64_t sum = pseudo_header_sum(to, header_, header_.transport_size + payload);
    sum = checksum_add(transport, header_.transport_size, sum);
    sum = checksum_copy(to + header_.size(), packet_.data() + payload_at, payload, sum);
    auto folded = static_cast<std::uint16_t>(~checksum_fold(sum));
    if (folded == 0 && kind_ == Kind::kUdp) folded = 0xffff;
    checksum_store(field, folded);
}

} // namespace wgd::io
