// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <random>

#include "datapath/io/splitter.hpp"
#include "tests/unit/datapath_io/packets.hpp"

using namespace wgd;
using namespace wgd::io;
using test::Flow;

namespace {

Bytes random_bytes(std::mt19937& rng, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(rng());
    return bytes;
}

std::vector<Bytes> split(const VnetHeader& vnet, const Bytes& packet) {
    Splitter splitter;
    REQUIRE(splitter.begin(vnet, packet));
    std::vector<Bytes> segments;
    for (std::size_t i = 0; i < splitter.count(); ++i) {
        Bytes segment(splitter.segment_size(i) + 8, 0xcc);
        splitter.write(i, segment.data());
        for (std::size_t b = 0; b < 8; ++b)
            REQUIRE(segment[segment.size() - 1 - b] == 0xcc);
        segment.resize(segment.size() - 8);
        segments.push_back(segment);
    }
    return segments;
}

VnetHeader gso(const Flow& flow, std::uint16_t size) {
    VnetHeader vnet;
    vnet.flags = VnetHeader::kNeedsChecksum;
    vnet.gso_type = !flow.tcp ? VnetHeader::kGsoUdpL4 : flow.v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4;
    vnet.gso_size = size;
    vnet.checksum_start = static_cast<std::uint16_t>(test::network_size(flow));
    vnet.checksum_offset = flow.tcp ? 16 : 6;
    return vnet;
}

} // namespace

TEST_CASE("super-packets split into what the sender would have sent without them") {
    std::mt19937 rng(3);
    for (int round = 0; round < 400; ++round) {
        Flow flow;
        flow.v6 = rng() % 2;
        flow.tcp = rng() % 2;
        flow.options = static_cast<std::uint8_t>(rng() % 11 * 4);
        const auto size = static_cast<std::uint16_t>(1 + rng() % 1400);
        const std::size_t total = 1 + rng() % std::min<std::size_t>(65000, std::size_t{size} * 60);
        const Bytes payload = random_bytes(rng, total);
        const auto sequence = static_cast<std::uint32_t>(rng()); // wraps around now and then
        const auto id = static_cast<std::uint16_t>(rng());
        constexpr std::uint8_t kFinPshAckCwr = 0x01 | 0x08 | 0x10 | 0x80;
        Bytes super = test::make_packet(flow, sequence, kFinPshAckCwr, id, payload);
        // What the kernel leaves in the checksum field of a super-packet is not the checksum.
        super[test::network_size(flow) + (flow.tcp ? 16 : 6)] ^= 0x5a;

        const auto segments = split(gso(flow, size), super);
        REQUIRE(segments.size() == (total + size - 1) / size);
        std::size_t at = 0;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const std::size_t length = std::min<std::size_t>(size, total - at);
            const Bytes part(payload.begin() + static_cast<std::ptrdiff_t>(at),
                             payload.begin() + static_cast<std::ptrdiff_t>(at + length));
            std::uint8_t flags = kFinPshAckCwr;
            if (i > 0) flags &= static_cast<std::uint8_t>(~0x80);
            if (i + 1 < segments.size()) flags &= static_cast<std::uint8_t>(~0x09);
            const Bytes want = test::make_packet(flow, sequence + static_cast<std::uint32_t>(at), flags,
                                                 static_cast<std::uint16_t>(id + i), part);
            REQUIRE(segments[i] == want);
            at += length;
        }
    }
}

TEST_CASE("a packet whose checksum was left to us") {
    std::mt19937 rng(4);
    for (int round = 0; round < 300; ++round) {
        Flow flow;
        flow.v6 = rng() % 2;
        flow.tcp = rng() % 2;
        const Bytes want = test::make_packet(flow, 5, 0x10, 9, random_bytes(rng, rng() % 1400));
        Bytes partial = want;
        VnetHeader vnet = gso(flow, 0);
        vnet.gso_type = VnetHeader::kGsoNone;
        test::put16(partial, test::network_size(flow) + vnet.checksum_offset,
                    test::naive_sum(test::pseudo_header(partial, flow)));
        const auto segments = split(vnet, partial);
        REQUIRE(segments.size() == 1);
        REQUIRE(segments[0] == want);
    }
}

TEST_CASE("a UDP checksum of zero is sent as ffff") {
    Flow flow;
    flow.tcp = false;
    // Find a payload whose checksum comes out as zero before the substitution.
    for (std::uint32_t value = 0; value < 65536; ++value) {
        const Bytes payload{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
        const Bytes packet = test::make_packet(flow, 0, 0, 1, payload);
        if (packet[26] != 0xff || packet[27] != 0xff) continue;
        VnetHeader vnet = gso(flow, 2);
        CHECK(split(vnet, packet)[0] == packet);
        Bytes partial = packet;
        vnet.gso_type = VnetHeader::kGsoNone;
        test::put16(partial, 26, test::naive_sum(test::pseudo_header(partial, flow)));
        CHECK(split(vnet, partial)[0] == packet);
        return;
    }
    FAIL("no such payload");
}

TEST_CASE("anything without flags passes unchanged") {
    std::mt19937 rng(5);
    for (std::size_t size : {1UL, 19UL, 20UL, 60UL, 1420UL, 65535UL}) {
        const Bytes packet = random_bytes(rng, size);
        const auto segments = split(VnetHeader{}, packet);
        REQUIRE(segments.size() == 1);
        CHECK(segments[0] == packet);
    }
}

TEST_CASE("nonsense is refused, whatever the bytes") {
    Flow flow;
    const Bytes good = test::make_packet(flow, 1, 0x10, 1, Bytes(3000));
    Splitter splitter;
    CHECK_FALSE(splitter.begin(VnetHeader{}, {}));
    VnetHeader vnet = gso(flow, 0); // a segment size of zero
    CHECK_FALSE(splitter.begin(vnet, good));
    vnet = gso(flow, 1000);
    vnet.gso_type = VnetHeader::kGsoTcp6; // a lie about the family
    CHECK_FALSE(splitter.begin(vnet, good));
    vnet.gso_type = 3; // UDP fragmentation, never asked for
    CHECK_FALSE(splitter.begin(vnet, good));
    vnet = gso(flow, 1000);
    CHECK_FALSE(splitter.begin(vnet, Bytes(good.begin(), good.begin() + 52))); // no payload
    vnet.gso_type = VnetHeader::kGsoNone;
    vnet.checksum_start = 2999;
    vnet.checksum_offset = 65535;
    CHECK_FALSE(splitter.begin(vnet, good));

    std::mt19937 rng(6);
    Bytes out(70000);
    for (int round = 0; round < 20000; ++round) {
        Bytes bytes = rng() % 2 ? random_bytes(rng, rng() % 200) : good;
        for (unsigned flips = rng() % 4; flips > 0 && !bytes.empty(); --flips)
            bytes[rng() % std::min<std::size_t>(bytes.size(), 60)] = static_cast<std::uint8_t>(rng());
        VnetHeader any;
        any.flags = static_cast<std::uint8_t>(rng() % 3);
        any.gso_type = static_cast<std::uint8_t>(rng() % 6);
        any.gso_size = static_cast<std::uint16_t>(rng() % 2 ? rng() % 2000 : rng());
        any.checksum_start = static_cast<std::uint16_t>(rng() % 64);
        any.checksum_offset = static_cast<std::uint16_t>(rng() % 32);
        if (splitter.begin(any, bytes))
            for (std::size_t i = 0; i < splitter.count(); ++i) {
                REQUIRE(splitter.segment_size(i) <= bytes.size());
                splitter.write(i, out.data());
            }
    }
}
