// SPDX-License-Identifier: MIT
#include "datapath/io/coalescer.hpp"

#include <cassert>

namespace wgd::io {

namespace {

constexpr std::size_t kMaxSuperPacket = 65535;

std::size_t flow_bucket(const std::uint8_t* packet, const InnerHeader& header, std::size_t buckets) {
    const std::uint8_t* addresses = packet + (header.v6 ? 8 : 12);
    std::uint64_t mixed = load_le<std::uint32_t>(packet + header.network_size) + header.protocol; // ports
    for (std::size_t at = 0; at < (header.v6 ? 32U : 8U); at += 8)
        mixed = (mixed ^ load_le<std::uint64_t>(addresses + at)) * 0x9e3779b97f4a7c15ULL;
    return (mixed >> 40) % buckets;
}

bool transport_checksum_ok(const std::uint8_t* packet, std::size_t size, const InnerHeader& header) {
    const std::size_t transport = size - header.network_size;
    const std::uint64_t sum =
        checksum_add(packet + header.network_size, transport, pseudo_header_sum(packet, header, transport));
    return checksum_fold(sum) == 0xffff;
}

// Everything that a splitter copies from the head into every segment, except what it counts up.
bool same_stream(const std::uint8_t* a, const std::uint8_t* b, const InnerHeader& header) {
    if (header.v6) {
        // version, class, flow label | (length) | next header, hop limit | addresses
        if (std::memcmp(a, b, 4) != 0 || std::memcmp(a + 6, b + 6, 34) != 0) return false;
    } else {
        // version, length, class | (length, id) | flags, TTL, protocol | (checksum) | addresses
        if (std::memcmp(a, b, 2) != 0 || std::memcmp(a + 6, b + 6, 4) != 0 ||
            std::memcmp(a + 12, b + 12, 8) != 0)
            return false;
    }
    const std::uint8_t* ta = a + header.network_size;
    const std::uint8_t* tb = b + header.network_size;
    if (std::memcmp(ta, tb, 4) != 0) // ports
        return false;
    if (header.protocol == kProtocolUdp) return true;
    // (sequence) | acknowledgement, data offset | (flags: by the caller) | window | (checksum) | urgent,
    // options
    return std::memcmp(ta + 8, tb + 8, 5) == 0 && std::memcmp(ta + 14, tb + 14, 2) == 0 &&
           std::memcmp(ta + 18, tb + 18, header.transport_size - 18U) == 0;
}

} // namespace

Coalescer::Coalescer(std::size_t capacity, Options options)
    : options_(options) {
    packets_.reserve(capacity);
    groups_.reserve(capacity);
    used_buckets_.reserve(capacity);
    bucket_.fill(kNone);
}

Coalescer::Kind Coalescer::classify(const std::uint8_t* packet, std::size_t size, InnerHeader& header) const {
    const auto parsed = parse_inner_header({packet, size});
    if (!parsed) return Kind::kForeign;
    header = *parsed;
    const std::size_t ip_length =
        header.v6 ? kIpv6Header + load_be<std::uint16_t>(packet + 4) : load_be<std::uint16_t>(packet + 2);
    if (ip_length != size || size == header.size()) return Kind::kAlone;
    if (!header.v6 && checksum_fold(checksum_add_header<kIpv4Header>(packet, 0)) != 0xffff)
        return Kind::kAlone; // rewriting would repair a broken header
    const std::uint8_t* transport = packet + header.network_size;
    if (header.protocol == kProtocolTcp) {
        const std::uint8_t flags = transport[13];
        const bool plain = (flags & ~kTcpPsh) == kTcpAck && (transport[12] & 0x0f) == 0;
        return (header.v6 ? options_.tcp6 : options_.tcp4) && plain ? Kind::kJoinable : Kind::kAlone;
    }
    const bool has_checksum = (transport[6] | transport[7]) != 0; // RFC 768: zero means none
    const bool length_ok = load_be<std::uint16_t>(transport + 4) == size - header.network_size;
    return options_.udp && has_checksum && length_ok ? Kind::kJoinable : Kind::kAlone;
}

void Coalescer::add(std::uint8_t* packet, std::size_t size) {
    assert(!full());
    ++counters_.packets;
    const auto index = static_cast<std::uint32_t>(packets_.size());
    packets_.push_back({packet, static_cast<std::uint32_t>(size), kNone});

    InnerHeader header;
    const Kind kind = classify(packet, size, header);
    std::size_t bucket = 0;
    if (kind != Kind::kForeign) {
        bucket = flow_bucket(packet, header, kBuckets);
        if (bucket_[bucket] != kNone && kind == Kind::kJoinable &&
            try_join(groups_[bucket_[bucket]], packet, size, header, index))
            return;
    }

    Group group{};
    group.first = group.last = index;
    group.count = 1;
    group.size = static_cast<std::uint32_t>(size);
    group.header = header;
    group.flow = bucket;
    if (kind == Kind::kJoinable) {
        group.open = true;
        group.segment_payload = static_cast<std::uint32_t>(size - header.size());
        if (!header.v6) group.next_id = static_cast<std::uint16_t>(load_be<std::uint16_t>(packet + 4) + 1);
        if (header.protocol == kProtocolTcp) {
            const std::uint8_t* transport = packet + header.network_size;
            group.next_sequence = load_be<std::uint32_t>(transport + 4) + group.segment_payload;
            group.open = (transport[13] & kTcpPsh) == 0; // the sender wants it delivered
        }
    }
    if (kind != Kind::kForeign) {
        if (bucket_[bucket] == kNone) used_buckets_.push_back(static_cast<std::uint16_t>(bucket));
        bucket_[bucket] = static_cast<std::uint32_t>(groups_.size());
    }
    groups_.push_back(group);
}

bool Coalescer::try_join(Group& group, std::uint8_t* packet, std::size_t size, const InnerHeader& header,
                         std::uint32_t index) {
    const Packet& head = packets_[group.first];
    if (!group.open || header.v6 != group.header.v6 || header.protocol != group.header.protocol ||
        header.size() != group.header.size())
        return false;
    const std::size_t payload = size - header.size();
    if (payload > group.segment_payload || group.count == kMaxSegments ||
        group.size + payload > kMaxSuperPacket || !same_stream(head.data, packet, header))
        return false;
    const std::uint8_t* transport = packet + header.network_size;
    if (header.protocol == kProtocolTcp && load_be<std::uint32_t>(transport + 4) != group.next_sequence)
        return false;
    // Splitting counts the IPv4 identification up by one per segment. With DF set it means nothing (RFC
    // 6864 4.1), and some senders leave it constant.
    if (!header.v6 && load_be<std::uint16_t>(packet + 4) != group.next_id &&
        ((packet[6] & 0x40) == 0 || std::memcmp(packet + 4, head.data + 4, 2) != 0))
        return false;
    if (!group.verified) {
        if (!transport_checksum_ok(head.data, head.size, group.header)) {
            group.open = false;
            return false;
        }
        group.verified = true;
    }
    if (!transport_checksum_ok(packet, size, header))
        return false; // goes alone, for the kernel to count and drop

    packets_[group.last].next = index;
    group.last = index;
    ++group.count;
    ++group.next_id;
    group.size += static_cast<std::uint32_t>(payload);
    group.next_sequence += static_cast<std::uint32_t>(payload);
    if (payload < group.segment_payload) // only the last segment may be shorter
        group.open = false;
    if (header.protocol == kProtocolTcp && (transport[13] & kTcpPsh) != 0) {
        group.open = false;
        packets_[group.first].data[header.network_size + 13] |=
            kTcpPsh; // the splitter moves it to the last segment
    }
    return true;
}

std::span<const iovec> Coalescer::finish(Group& group) {
    ++counters_.writes;
    const Packet& head = packets_[group.first];
    vnet_ = {};
    vectors_[0] = {&vnet_, sizeof vnet_};
    vectors_[1] = {head.data, head.size};
    if (group.count == 1) return {vectors_.data(), 2};

    const InnerHeader& header = group.header;
    const std::size_t transport_length = group.size - header.network_size;
    std::uint8_t* const transport = head.data + header.network_size;
    if (header.v6) {
        store_be(head.data + 4, static_cast<std::uint16_t>(group.size - kIpv6Header));
    } else {
        store_be(head.data + 2, static_cast<std::uint16_t>(group.size));
        store_ipv4_checksum(head.data);
    }
    if (header.protocol == kProtocolUdp)
        store_be(transport + 4, static_cast<std::uint16_t>(transport_length));
    checksum_store(transport + checksum_offset(header),
                   checksum_fold(pseudo_header_sum(head.data, header, transport_length)));

    vnet_.flags = VnetHeader::kNeedsChecksum;
    vnet_.checksum_start = header.network_size;
    vnet_.checksum_offset = checksum_offset(header);
    vnet_.header_length = static_cast<std::uint16_t>(header.size());
    vnet_.gso_size = static_cast<std::uint16_t>(group.segment_payload);
    if (header.protocol == kProtocolUdp)
        vnet_.gso_type = VnetHeader::kGsoUdpL4;
    else
        vnet_.gso_type = header.v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4;

    std::size_t used = 2;
    for (std::uint32_t index = head.next; index != kNone; index = packets_[index].next) {
        const Packet& packet = packets_[index];
        vectors_[used++] = {packet.data + header.size(), packet.size - header.size()};
    }
    return {vectors_.data(), used};
}

void Coalescer::clear() {
    packets_.clear();
    groups_.clear();
    for (std::uint16_t bucket : used_buckets_)
        bucket_[bucket] = kNone;
    used_buckets_.clear();
}

} // namespace wgd::io
