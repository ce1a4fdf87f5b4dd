// SPDX-License-Identifier: MIT
// "Destination unreachable" for inner packets that cannot be sent. The sender is a program on this host (or
// behind it), so the answer goes back into the TUN; it claims to come from the address that could not be
// reached, the only one that surely routes out of this interface.
#include <algorithm>

#include "datapath/wg/datapath_state.hpp"
#include "datapath/wg/inner_packet.hpp"

namespace wgd::wg {
namespace {

constexpr std::uint8_t kIcmp = 1, kIcmpV6 = 58;
constexpr std::size_t kIcmpHeaderSize = 8;
constexpr unsigned kPerSecond = 100; // of the device
constexpr unsigned kBurst = 50;

std::uint32_t add_up(ByteView bytes, std::uint32_t sum) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
        sum += load_be<std::uint16_t>(bytes.data() + i);
    if (i < bytes.size()) sum += static_cast<std::uint32_t>(bytes[i]) << 8;
    return sum;
}

std::uint16_t checksum(std::uint32_t sum) {
    while ((sum >> 16) != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// RFC 1122 3.2.2.
std::size_t answer_v4(ByteView packet, ByteSpan out) {
    const std::size_t header = static_cast<std::size_t>(packet[0] & 0xf) * 4;
    if (header < kIpv4HeaderSize || packet.size() < header + 8) return 0;
    if ((load_be<std::uint16_t>(packet.data() + 6) & 0x1fff) != 0) return 0; // not the first fragment
    if (packet[16] >= 224 || packet[12] >= 224 || load_be<std::uint32_t>(packet.data() + 12) == 0)
        return 0; // multicast, broadcast, or from nobody
    if (packet[9] == kIcmp && packet[header] != 8 && packet[header] != 0 && packet[header] != 13)
        return 0; // about an error

    // RFC 1812 4.3.2.3: as much of the packet as fits 576 bytes.
    const std::size_t quoted = std::min(packet.size(), out.size() - kIpv4HeaderSize - kIcmpHeaderSize);
    const std::size_t size = kIpv4HeaderSize + kIcmpHeaderSize + quoted;
    std::fill(out.begin(), out.begin() + kIpv4HeaderSize + kIcmpHeaderSize, std::uint8_t{0});
    out[0] = 0x45;
    out[1] = 0xc0; // precedence internetwork control, as RFC 1812 4.3.2.5 has it
    store_be<std::uint16_t>(out.data() + 2, static_cast<std::uint16_t>(size));
    out[8] = 64;
    out[9] = kIcmp;
    std::memcpy(out.data() + 12, packet.data() + 16, 4);
    std::memcpy(out.data() + 16, packet.data() + 12, 4);
    store_be<std::uint16_t>(out.data() + 10, checksum(add_up(out.first(kIpv4HeaderSize), 0)));
    std::uint8_t* icmp = out.data() + kIpv4HeaderSize;
    icmp[0] = 3; // destination unreachable
    icmp[1] = 1; // host
    std::memcpy(icmp + kIcmpHeaderSize, packet.data(), quoted);
    store_be<std::uint16_t>(icmp + 2, checksum(add_up({icmp, kIcmpHeaderSize + quoted}, 0)));
    return size;
}

// RFC 4443 2.4, 3.1.
std::size_t answer_v6(ByteView packet, ByteSpan out) {
    constexpr std::uint8_t kFragment = 44;
    const std::uint8_t next = packet[6];
    if (packet[8] == 0xff || packet[24] == 0xff ||
        std::all_of(packet.data() + 8, packet.data() + 24, [](std::uint8_t byte) { return byte == 0; }))
        return 0; // multicast, or from nobody
    if (next == kFragment) return 0;
    if (next == kIcmpV6 && (packet.size() <= kIpv6HeaderSize || packet[kIpv6HeaderSize] < 128))
        return 0; // about an error

    const std::size_t quoted = std::min(packet.size(), out.size() - kIpv6HeaderSize - kIcmpHeaderSize);
    const std::size_t payload = kIcmpHeaderSize + quoted;
    std::fill(out.begin(), out.begin() + kIpv6HeaderSize + kIcmpHeaderSize, std::uint8_t{0});
    out[0] = 0x60;
    store_be<std::uint16_t>(out.data() + 4, static_cast<std::uint16_t>(payload));
    out[6] = kIcmpV6;
    out[7] = 64;
    std::memcpy(out.data() + 8, packet.data() + 24, 16);
    std::memcpy(out.data() + 24, packet.data() + 8, 16);
    std::uint8_t* icmp = out.data() + kIpv6HeaderSize;
    icmp[0] = 1; // destination unreachable
    icmp[1] = 3; // address
    std::memcpy(icmp + kIcmpHeaderSize, packet.data(), quoted);
    const std::uint32_t pseudo = add_up({out.data() + 8, 32}, static_cast<std::uint32_t>(payload) + kIcmpV6);
    store_be<std::uint16_t>(icmp + 2, checksum(add_up({icmp, payload}, pseudo)));
    return kIpv6HeaderSize + payload;
}

// A bucket as one number: the time up to which the allowance is used. Any thread.
bool allowed_now(std::atomic<Stamp>& used_until, Instant now) {
    constexpr Stamp kCost = Stamp{1'000'000'000} / kPerSecond;
    const Stamp stamp = to_stamp(now);
    Stamp used = used_until.load(std::memory_order_relaxed);
    for (;;) {
        const Stamp from = std::max(used, stamp - kCost * kBurst);
        if (used != kNoStamp && from + kCost > stamp) return false;
        const Stamp next = (used == kNoStamp ? stamp - kCost * kBurst : from) + kCost;
        if (used_until.compare_exchange_weak(used, next, std::memory_order_relaxed)) return true;
    }
}

} // namespace

std::size_t DataThread::unreachable(ByteView packet, Drop why, Now now, std::span<std::uint8_t, 576> out) {
    state_->count(why);
    const bool v4 = packet.size() >= kIpv4HeaderSize && (packet[0] >> 4) == 4;
    const bool v6 = packet.size() >= kIpv6HeaderSize && (packet[0] >> 4) == 6;
    if (!(v4 || v6)) return 0;
    const std::size_t size = v4 ? answer_v4(packet, out) : answer_v6(packet, out);
    return size != 0 && allowed_now(state_->unreachable_clock, now.mono) ? size : 0;
}

} // namespace wgd::wg
