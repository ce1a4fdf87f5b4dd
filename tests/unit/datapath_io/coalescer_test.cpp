// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "datapath/io/coalescer.hpp"
#include "tests/unit/datapath_io/packets.hpp"

using namespace wgd;
using namespace wgd::io;
using test::Flow;

namespace {

constexpr std::uint8_t kAck = 0x10, kPsh = 0x08;

struct Write {
    VnetHeader vnet;
    Bytes packet;
};

std::vector<Write> coalesce(std::vector<Bytes> packets, Coalescer::Options options = {}) {
    Coalescer coalescer(packets.size() + 1, options);
    for (Bytes& packet : packets)
        coalescer.add(packet.data(), packet.size());
    std::vector<Write> writes;
    coalescer.flush([&](std::span<const iovec> vectors, std::size_t) {
        Write write;
        REQUIRE(vectors.size() >= 2);
        REQUIRE(vectors[0].iov_len == kVnetHeaderSize);
        std::memcpy(&write.vnet, vectors[0].iov_base, kVnetHeaderSize);
        for (const iovec& vector : vectors.subspan(1)) {
            const auto* data = static_cast<const std::uint8_t*>(vector.iov_base);
            write.packet.insert(write.packet.end(), data, data + vector.iov_len);
        }
        writes.push_back(std::move(write));
    });
    CHECK(coalescer.empty());
    return writes;
}

// What the kernel does with a super-packet that has to be taken apart again (RFC 9293, RFC 768 and 791 by
// hand).
std::vector<Bytes> naive_split(const Write& write) {
    if (write.vnet.gso_type == VnetHeader::kGsoNone) {
        REQUIRE(write.vnet.flags == 0);
        return {write.packet};
    }
    Flow flow;
    flow.v6 = write.packet[0] >> 4 == 6;
    flow.tcp = write.vnet.gso_type != VnetHeader::kGsoUdpL4;
    const std::size_t network = test::network_size(flow);
    const std::size_t transport =
        flow.tcp ? static_cast<std::size_t>(write.packet[network + 12] >> 4) * 4 : 8;
    REQUIRE(write.vnet.flags == VnetHeader::kNeedsChecksum);
    REQUIRE(write.vnet.checksum_start == network);
    REQUIRE(write.vnet.checksum_offset == (flow.tcp ? 16 : 6));
    REQUIRE(write.vnet.header_length == network + transport);
    // The partial checksum must be the pseudo header's sum.
    const std::size_t field = network + write.vnet.checksum_offset;
    REQUIRE(load_be<std::uint16_t>(write.packet.data() + field) ==
            test::naive_sum(test::pseudo_header(write.packet, flow)));
    // And the header itself in order.
    REQUIRE(load_be<std::uint16_t>(write.packet.data() + (flow.v6 ? 4 : 2)) ==
            write.packet.size() - (flow.v6 ? 40 : 0));

    const std::size_t header = network + transport;
    std::vector<Bytes> segments;
    for (std::size_t at = header, i = 0; at < write.packet.size(); at += write.vnet.gso_size, ++i) {
        const std::size_t end = std::min(write.packet.size(), at + write.vnet.gso_size);
        Bytes segment(write.packet.begin(), write.packet.begin() + static_cast<std::ptrdiff_t>(header));
        segment.insert(segment.end(), write.packet.begin() + static_cast<std::ptrdiff_t>(at),
                       write.packet.begin() + static_cast<std::ptrdiff_t>(end));
        if (!flow.v6)
            test::put16(segment, 4,
                        load_be<std::uint16_t>(segment.data() + 4) + static_cast<std::uint32_t>(i));
        if (flow.tcp) {
            test::put32(segment, network + 4,
                        load_be<std::uint32_t>(segment.data() + network + 4) +
                            static_cast<std::uint32_t>(at - header));
            if (end != write.packet.size()) segment[network + 13] &= static_cast<std::uint8_t>(~kPsh);
        }
        test::complete(segment, flow);
        segments.push_back(segment);
    }
    return segments;
}

Bytes payload_of(std::size_t size, std::uint32_t seed) {
    std::mt19937 rng(seed);
    Bytes bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(rng());
    return bytes;
}

std::vector<Bytes> stream(const Flow& flow, std::size_t count, std::size_t size) {
    std::vector<Bytes> packets;
    for (std::size_t i = 0; i < count; ++i)
        packets.push_back(test::make_packet(flow, static_cast<std::uint32_t>(100 + i * size), kAck,
                                            static_cast<std::uint16_t>(500 + i),
                                            payload_of(size, static_cast<std::uint32_t>(i))));
    return packets;
}

} // namespace

TEST_CASE("a run of a TCP or UDP flow becomes one write") {
    for (bool v6 : {false, true})
        for (bool tcp : {false, true}) {
            Flow flow;
            flow.v6 = v6;
            flow.tcp = tcp;
            const auto packets = stream(flow, 40, 1300);
            const auto writes = coalesce(packets);
            REQUIRE(writes.size() == 1);
            CHECK(writes[0].vnet.gso_size == 1300);
            CHECK(naive_split(writes[0]) == packets);
        }
}

TEST_CASE("super-packets end at 64 segments and at 64 KiB") {
    Flow flow;
    CHECK(coalesce(stream(flow, 130, 10)).size() == 3);
    const auto writes = coalesce(stream(flow, 60, 1368));
    CHECK(writes.size() == 2);
    for (const Write& write : writes)
        CHECK(write.packet.size() <= 65535);
}

TEST_CASE("what must not be joined is not") {
    Flow flow;
    auto packets = stream(flow, 2, 1000);
    const auto count = [&](const std::vector<Bytes>& p) { return coalesce(p).size(); };
    REQUIRE(count(packets) == 1);

    SECTION("a gap") {
        packets[1] = test::make_packet(flow, 1101, kAck, 501, Bytes(1000));
    }
    SECTION("a longer successor") {
        packets[1] = test::make_packet(flow, 1100, kAck, 501, Bytes(1001));
    }
    SECTION("a push before it") {
        packets[0] = test::make_packet(flow, 100, kAck | kPsh, 500, Bytes(1000));
    }
    SECTION("FIN") {
        packets[1] = test::make_packet(flow, 1100, kAck | 0x01, 501, Bytes(1000));
    }
    SECTION("urgent") {
        packets[1] = test::make_packet(flow, 1100, kAck | 0x20, 501, Bytes(1000));
    }
    SECTION("no acknowledgement") {
        packets[1] = test::make_packet(flow, 1100, 0, 501, Bytes(1000));
    }
    SECTION("no payload") {
        packets[1] = test::make_packet(flow, 1100, kAck, 501, {});
    }
    SECTION("other ports") {
        Flow other = flow;
        other.source_port = 1001;
        packets[1] = test::make_packet(other, 1100, kAck, 501, Bytes(1000));
    }
    SECTION("other options") {
        packets[1][20 + 20] = 2;
        test::complete(packets[1], flow);
    }
    SECTION("another acknowledgement") {
        packets[1][20 + 11] ^= 1;
        test::complete(packets[1], flow);
    }
    SECTION("another window") {
        packets[1][20 + 15] ^= 1;
        test::complete(packets[1], flow);
    }
    SECTION("another TTL") {
        packets[1][8] = 63;
        test::complete(packets[1], flow);
    }
    SECTION("a congestion mark") {
        packets[1][1] = 3;
        test::complete(packets[1], flow);
    }
    SECTION("an identification out of line") {
        test::put16(packets[1], 4, 700);
        test::complete(packets[1], flow);
    }
    SECTION("a damaged payload") {
        packets[1][200] ^= 1;
    }
    SECTION("a damaged head") {
        packets[0][200] ^= 1;
    }
    SECTION("a damaged IP checksum") {
        packets[1][10] ^= 1;
    }
    SECTION("a fragment") {
        packets[1][6] = 0x20;
        test::complete(packets[1], flow);
    }
    SECTION("a length that is not the packet's") {
        packets[1].push_back(0);
    }
    CHECK(count(packets) == 2);
}

TEST_CASE("a constant identification is fine where fragments are forbidden") {
    Flow flow;
    auto packets = stream(flow, 3, 500);
    for (Bytes& packet : packets) {
        test::put16(packet, 4, 0);
        test::complete(packet, flow);
    }
    CHECK(coalesce(packets).size() == 1);
    flow.dont_fragment = false;
    for (Bytes& packet : packets) {
        packet[6] = 0;
        test::complete(packet, flow);
    }
    CHECK(coalesce(packets).size() == 3);
}

TEST_CASE("a UDP flow without checksums is left alone") {
    Flow flow;
    flow.tcp = false;
    auto packets = stream(flow, 3, 500);
    for (Bytes& packet : packets)
        test::put16(packet, 26, 0);
    const auto writes = coalesce(packets);
    REQUIRE(writes.size() == 3);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(writes[i].packet == packets[i]);
}

TEST_CASE("each kind can be switched off") {
    Flow tcp, udp;
    udp.tcp = false;
    CHECK(coalesce(stream(tcp, 5, 100), {false, true, true}).size() == 5);
    CHECK(coalesce(stream(udp, 5, 100), {false, true, true}).size() == 1);
    CHECK(coalesce(stream(udp, 5, 100), {true, true, false}).size() == 5);
    CHECK(coalesce(stream(tcp, 5, 100), {true, true, false}).size() == 1);
    Flow tcp6;
    tcp6.v6 = true;
    CHECK(coalesce(stream(tcp6, 5, 100), {true, false, true}).size() == 5);
    CHECK(coalesce(stream(tcp6, 5, 100), {false, true, true}).size() == 1);
    CHECK(coalesce(stream(tcp, 5, 100), {true, false, true}).size() == 1);
}

TEST_CASE("the last packet may be shorter and ends the run") {
    Flow flow;
    auto packets = stream(flow, 3, 1000);
    packets.push_back(test::make_packet(flow, 3100, kAck | kPsh, 503, payload_of(300, 9)));
    packets.push_back(test::make_packet(flow, 3400, kAck, 504, payload_of(300, 10)));
    const auto writes = coalesce(packets);
    REQUIRE(writes.size() == 2);
    const auto first = naive_split(writes[0]);
    CHECK(first == std::vector<Bytes>(packets.begin(), packets.begin() + 4));
    CHECK(writes[1].packet == packets[4]);
}

// Any mixture of flows, with holes, repetitions, damage, other protocols: after taking the super-packets
// apart again the very same packets are there, and those of one flow in the order they came in.
TEST_CASE("nothing is lost, changed or overtaken within its flow") {
    std::mt19937 rng(7);
    std::size_t joined = 0;
    for (int round = 0; round < 300; ++round) {
        std::vector<Flow> flows(1 + rng() % 5);
        std::vector<std::uint32_t> sequence(flows.size());
        std::vector<std::uint16_t> id(flows.size());
        for (std::size_t f = 0; f < flows.size(); ++f) {
            flows[f].v6 = rng() % 2;
            flows[f].tcp = rng() % 3 != 0;
            flows[f].source = static_cast<std::uint8_t>(10 + f);
            flows[f].dont_fragment = rng() % 2;
            sequence[f] = static_cast<std::uint32_t>(rng());
            id[f] = static_cast<std::uint16_t>(rng());
        }
        std::vector<Bytes> packets;
        std::vector<std::size_t> owner; // flow of a packet; flows.size(): none
        const std::size_t count = 1 + rng() % 200;
        while (packets.size() < count) {
            const std::size_t f = rng() % flows.size();
            const std::size_t burst = 1 + rng() % 20;
            const std::size_t size = 1 + rng() % 1200;
            for (std::size_t i = 0; i < burst; ++i) {
                if (rng() % 20 == 0) { // a stranger
                    Bytes stranger(20 + rng() % 50);
                    for (auto& byte : stranger)
                        byte = static_cast<std::uint8_t>(rng());
                    stranger[0] = 0x4f;
                    packets.push_back(stranger);
                    owner.push_back(flows.size());
                }
                if (rng() % 25 == 0) sequence[f] += 7;
                const std::size_t length = rng() % 15 == 0 ? rng() % (size + 1) : size;
                std::uint8_t flags = kAck;
                if (rng() % 12 == 0) flags |= kPsh;
                if (rng() % 40 == 0) flags |= 0x01;
                Bytes packet = test::make_packet(flows[f], sequence[f], flags, id[f]++,
                                                 payload_of(length, static_cast<std::uint32_t>(rng())));
                sequence[f] += static_cast<std::uint32_t>(length);
                const std::size_t untouched = test::network_size(flows[f]) + 8;
                if (rng() % 30 == 0 && packet.size() > untouched)
                    packet[untouched + rng() % (packet.size() - untouched)] ^= 4;
                packets.push_back(packet);
                owner.push_back(f);
            }
        }
        const auto writes = coalesce(packets);
        joined += packets.size() - writes.size();
        std::vector<Bytes> out;
        for (const Write& write : writes)
            for (Bytes& segment : naive_split(write))
                out.push_back(std::move(segment));
        REQUIRE(out.size() == packets.size());

        std::map<Bytes, std::vector<std::size_t>>
            where; // a packet's owners, to sort the output by flow again
        std::vector<std::vector<Bytes>> want(flows.size() + 1), got(flows.size() + 1);
        for (std::size_t i = 0; i < packets.size(); ++i) {
            want[owner[i]].push_back(packets[i]);
            where[packets[i]].push_back(owner[i]);
        }
        for (const Bytes& packet : out) {
            const auto it = where.find(packet);
            REQUIRE(it != where.end());
            got[it->second.front()].push_back(packet);
        }
        for (std::size_t f = 0; f < flows.size(); ++f)
            REQUIRE(got[f] == want[f]);
    }
    CHECK(joined > 1000);
}
