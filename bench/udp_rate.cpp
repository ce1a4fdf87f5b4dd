// SPDX-License-Identifier: MIT
// udp_rate: small datagrams through a tunnel, at a rate; how many arrive.
//   udp_rate receive ADDRESS PORT            counts until the sender says end; prints "received N"
//   udp_rate send ADDRESS PORT PPS SECONDS   sends 64-byte IPv4 packets (36 bytes of payload); prints "sent
//   N"
// iperf3 would be the bottleneck at the rates in question.
#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kPayload = 36; // + 20 IPv4 + 8 UDP = 64
constexpr std::size_t kBatch = 32;

sockaddr_in address_of(const char* address, const char* port) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    ::inet_pton(AF_INET, address, &in.sin_addr);
    return in;
}

struct Batch {
    std::vector<char> bytes = std::vector<char>(kBatch * 64);
    std::vector<iovec> vectors = std::vector<iovec>(kBatch);
    std::vector<mmsghdr> messages = std::vector<mmsghdr>(kBatch);
    explicit Batch(std::size_t size) {
        for (std::size_t i = 0; i < kBatch; ++i) {
            vectors[i] = {bytes.data() + i * 64, size};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
    }
};

int receive(const sockaddr_in& at) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    const int buffer = 16 << 20;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) < 0) {
        std::perror("bind");
        return 1;
    }
    Batch batch(64);
    std::uint64_t count = 0;
    for (;;) {
        pollfd poll{fd, POLLIN, 0};
        if (::poll(&poll, 1, 30000) <= 0) return 1;
        const int got = ::recvmmsg(fd, batch.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
        for (int i = 0; i < got; ++i) {
            if (batch.messages[static_cast<std::size_t>(i)].msg_len == kPayload) {
                ++count;
            } else { // the end mark is shorter
                std::printf("received %llu\n", static_cast<unsigned long long>(count));
                return 0;
            }
        }
    }
}

int send(const sockaddr_in& to, double rate, double seconds) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0) {
        std::perror("connect");
        return 1;
    }
    Batch batch(kPayload);
    const auto begin = Clock::now();
    const auto total = static_cast<std::uint64_t>(rate * seconds);
    std::uint64_t sent = 0;
    while (sent < total) {
        const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
        if (elapsed > seconds * 1.5) break; // cannot keep the pace: what was sent counts
        const auto due = std::min(total, static_cast<std::uint64_t>(elapsed * rate));
        if (due - sent < 8 && due < total) { // do not burn the tunnel's core between small batches
            std::this_thread::sleep_for(std::chrono::microseconds(30));
            continue;
        }
        const int put = ::sendmmsg(fd, batch.messages.data(),
                                   static_cast<unsigned>(std::min<std::uint64_t>(kBatch, due - sent)), 0);
        if (put > 0) sent += static_cast<std::uint64_t>(put);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    for (int i = 0; i < 50; ++i) {
        (void)!::send(fd, "end", 3, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::printf("sent %llu\n", static_cast<unsigned long long>(sent));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string(argv[1]) == "receive") return receive(address_of(argv[2], argv[3]));
    if (argc == 6 && std::string(argv[1]) == "send")
        return send(address_of(argv[2], argv[3]), std::atof(argv[4]), std::atof(argv[5]));
    std::fprintf(stderr, "usage: udp_rate receive ADDRESS PORT | send ADDRESS PORT PPS SECONDS\n");
    return 2;
}
