// SPDX-License-Identifier: MIT
// What peers may send: packets of a few flows, mostly fit to be joined, some damaged as the input says.
// Joining and splitting again gives back the same packets, byte by byte, and those of a flow in order.
#include <cstdlib>
#include <map>

#include "datapath/io/coalescer.hpp"
#include "tests/unit/datapath_io/packets.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::map<unsigned, std::vector<Bytes>> in, out; // by flow
    std::vector<Bytes> packets;
    std::array<std::uint32_t, 8> sequence{};
    const auto flow_of = [](const Bytes& packet) { return static_cast<unsigned>(packet[packet.size() - 1]); };
    for (std::size_t at = 0; at + 6 <= size && packets.size() < 200; at += 6) {
        const std::uint8_t* op = data + at; // flow, length, flags, jump, where to damage, with what
        const unsigned number = op[0] % 8U;
        test::Flow flow{(number & 1) != 0, (number & 2) != 0, 1, 2,
                        static_cast<std::uint16_t>(1000 + number)};
        flow.dont_fragment = (op[2] & 1) == 0;
        const Bytes payload(1 + op[1] * 5U, static_cast<std::uint8_t>(number));
        const auto flags = static_cast<std::uint8_t>(0x10 | ((op[2] & 2) != 0 ? op[2] : 0));
        sequence[number] += op[3] < 200 ? 0 : op[3];
        Bytes packet = test::make_packet(flow, sequence[number], flags,
                                         static_cast<std::uint16_t>(sequence[number]), payload);
        sequence[number] += static_cast<std::uint32_t>(payload.size());
        if (op[5] > 128 && op[4] + 1U < packet.size()) packet[op[4]] ^= op[5]; // the last byte names the flow
        in[flow_of(packet)].push_back(packet);
        packets.push_back(std::move(packet));
    }
    io::Coalescer coalescer(packets.size() + 1, {});
    for (Bytes& packet : packets)
        coalescer.add(packet.data(), packet.size());
    coalescer.flush([&](std::span<const iovec> vectors, std::size_t) {
        io::VnetHeader vnet;
        std::memcpy(&vnet, vectors[0].iov_base, sizeof vnet);
        Bytes whole;
        for (const iovec& vector : vectors.subspan(1)) {
            const auto* bytes = static_cast<const std::uint8_t*>(vector.iov_base);
            whole.insert(whole.end(), bytes, bytes + vector.iov_len);
        }
        io::Splitter splitter;
        if (!splitter.begin(vnet, whole)) std::abort();
        for (std::size_t i = 0; i < splitter.count(); ++i) {
            Bytes segment(splitter.segment_size(i));
            splitter.write(i, segment.data());
            out[flow_of(segment)].push_back(std::move(segment));
        }
    });
    if (in != out) std::abort();
    return 0;
}
