// SPDX-License-Identifier: MIT
// datapath_flood KIND DESTINATION PORT KEY RATE SECONDS [SOURCES]: IPv4 datagrams from forged
// addresses, 10.64.0.0 onwards, RATE a second. Prints how many went out. KIND:
//   initiations  forged by somebody who knows the device's public KEY: size, type and mac1 are right
//   garbage      of any length from 0 to 1500 and random content, half of them with a good first word
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include "datapath/wg/cookie.hpp"
#include "datapath/wg/message.hpp"

using namespace wgd;

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMaxPayload = 1500 - sizeof(iphdr) - sizeof(udphdr);
constexpr std::uint32_t kFirstSource = 0x0a400000;

struct Packet {
    std::array<std::uint8_t, 1500> bytes{};
    std::size_t size = 0;
};

class Flood {
  public:
    Flood(bool initiations, const char* to, std::uint16_t port, const PublicKey& key, std::uint32_t sources)
        : initiations_(initiations)
        , key_(key)
        , sources_(sources) {
        to_.sin_family = AF_INET;
        to_.sin_port = htons(port);
        ::inet_pton(AF_INET, to, &to_.sin_addr);
    }

    // Nothing in it is worth anything, so it need not be made anew each time; only the source is.
    Packet make() {
        Packet packet;
        auto* const payload = packet.bytes.data() + sizeof(iphdr) + sizeof(udphdr);
        const std::size_t size = initiations_ ? wg::kInitiationSize : random_() % (kMaxPayload + 1);
        for (std::size_t i = 0; i < size; ++i)
            payload[i] = static_cast<std::uint8_t>(random_());
        if (initiations_) {
            const ByteSpan message(payload, size);
            wg::write_type(message, wg::MessageType::kInitiation);
            wg::CookieKeeper().add_macs(message, key_, Instant(std::chrono::hours(1)));
        } else if (size >= 4 && random_() % 2 == 0) {
            wg::write_type({payload, size}, static_cast<wg::MessageType>(1 + random_() % 4));
        }
        packet.size = sizeof(iphdr) + sizeof(udphdr) + size;
        iphdr ip{};
        ip.version = 4;
        ip.ihl = 5;
        ip.ttl = 64;
        ip.protocol = IPPROTO_UDP;
        ip.daddr = to_.sin_addr.s_addr;
        std::memcpy(packet.bytes.data(), &ip, sizeof ip); // length and checksum are the kernel's (raw(7))
        udphdr udp{};
        udp.source = htons(51820);
        udp.dest = to_.sin_port;
        udp.len = htons(static_cast<std::uint16_t>(sizeof udp + size)); // checksum 0: none
        std::memcpy(packet.bytes.data() + sizeof ip, &udp, sizeof udp);
        return packet;
    }

    int run(double rate, double seconds) {
        const int fd = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
        if (fd < 0) {
            std::perror("raw socket");
            return 1;
        }
        std::vector<Packet> packets;
        for (std::size_t i = 0; i < 16 * kBatch; ++i)
            packets.push_back(make());
        std::array<mmsghdr, kBatch> messages{};
        std::array<iovec, kBatch> vectors{};
        using Clock = std::chrono::steady_clock;
        const auto begin = Clock::now();
        std::uint64_t sent = 0;
        for (;;) {
            const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
            if (elapsed >= seconds) break;
            if (static_cast<double>(sent) + kBatch > elapsed * rate) {
                std::this_thread::sleep_for(std::chrono::microseconds(200));
                continue;
            }
            for (std::size_t i = 0; i < kBatch; ++i) {
                Packet& packet = packets[(sent + i) % packets.size()];
                const std::uint32_t source =
                    htonl(kFirstSource + static_cast<std::uint32_t>((sent + i) % sources_));
                std::memcpy(packet.bytes.data() + offsetof(iphdr, saddr), &source, sizeof source);
                vectors[i] = {packet.bytes.data(), packet.size};
                messages[i].msg_hdr = {};
                messages[i].msg_hdr.msg_name = &to_;
                messages[i].msg_hdr.msg_namelen = sizeof to_;
                messages[i].msg_hdr.msg_iov = &vectors[i];
                messages[i].msg_hdr.msg_iovlen = 1;
            }
            const int put = ::sendmmsg(fd, messages.data(), kBatch, 0);
            if (put > 0) sent += static_cast<std::uint64_t>(put);
        }
        std::printf("%llu\n", static_cast<unsigned long long>(sent));
        return 0;
    }

  private:
    bool initiations_;
    PublicKey key_;
    std::uint32_t sources_;
    sockaddr_in to_{};
    std::mt19937 random_{42};
};

} // namespace

int main(int argc, char** argv) {
    const auto key = argc >= 7 ? PublicKey::from_base64(argv[4]) : std::nullopt;
    if (!key) {
        std::fprintf(
            stderr,
            "usage: datapath_flood initiations|garbage DESTINATION PORT KEY RATE SECONDS [SOURCES]\n");
        return 2;
    }
    Flood flood(std::string(argv[1]) == "initiations", argv[2],
                static_cast<std::uint16_t>(std::atoi(argv[3])), *key,
                argc > 7 ? static_cast<std::uint32_t>(std::atoi(argv[7])) : 100'000);
    return flood.run(std::atof(argv[5]), std::atof(argv[6]));
}
