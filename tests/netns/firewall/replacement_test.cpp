// SPDX-License-Identifier: MIT
// The kill switch's table is replaced while packets come from three sides as fast as one processor makes
// them: out of this machine, into it, and through it. Not one may pass, at no moment of any replacement.
//
// Two TUN devices are the world: what the machine sends arrives at `out`, what comes from outside is written
// to `in`. Both directions end in this process, which counts.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <thread>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "common/base/ip.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/plan/lock.hpp"
#include "daemon/sys/nftables.hpp"

using namespace wgd;

namespace {

constexpr std::uint16_t kPort = 4100;
constexpr const char* kHere = "192.0.2.2";
constexpr const char* kThere = "198.51.100.10";  // beyond `out`
constexpr const char* kAttacker = "203.0.113.7"; // beyond `in`

std::uint32_t raw(const char* address) {
    std::uint32_t value = 0;
    const auto parsed = *IpAddress::parse(address);
    std::memcpy(&value, parsed.bytes().data(), sizeof value);
    return value;
}

sockaddr_in endpoint(const char* address) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(kPort);
    out.sin_addr.s_addr = raw(address);
    return out;
}

Fd tun(const char* name) {
    Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (fd && ::ioctl(fd.get(), TUNSETIFF, &request) != 0) fd.reset();
    return fd;
}

// A UDP datagram as it comes from the attacker. Checksums: IPv4's is looked at, UDP's may be absent (RFC
// 768).
std::array<std::uint8_t, 36> datagram(const char* to) {
    std::array<std::uint8_t, 36> packet{};
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.tot_len = htons(packet.size());
    ip.saddr = raw(kAttacker);
    ip.daddr = raw(to);
    std::uint32_t sum = 0;
    std::array<std::uint16_t, 10> words{};
    std::memcpy(words.data(), &ip, sizeof ip);
    for (const std::uint16_t word : words)
        sum += word;
    while (sum >> 16U)
        sum = (sum & 0xffffU) + (sum >> 16U);
    ip.check = static_cast<std::uint16_t>(~sum);
    udphdr udp{};
    udp.source = udp.dest = htons(kPort);
    udp.len = htons(packet.size() - sizeof ip);
    std::memcpy(packet.data(), &ip, sizeof ip);
    std::memcpy(packet.data() + sizeof ip, &udp, sizeof udp);
    return packet;
}

struct Passed {
    std::atomic<long> out{0}, in{0}, through{0};
    [[nodiscard]] long all() const { return out + in + through; }
};

// The machine, with a program that sends and a world that sends, for as long as it lives.
class Flood {
  public:
    Flood()
        : out_(tun("out"))
        , in_(tun("in"))
        , socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        REQUIRE(out_);
        REQUIRE(in_);
        REQUIRE(
            std::system("ip link set lo up && ip address add 192.0.2.2/24 dev out && ip link set out up && "
                        "ip route add default dev out && ip link set in up && "
                        "ip route add 203.0.113.0/24 dev in && echo 1 >/proc/sys/net/ipv4/ip_forward && "
                        "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter") == 0);
        const sockaddr_in here = endpoint(kHere);
        REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
        sender_ = std::thread([this] { send(); });
        counter_ = std::thread([this] { count(); });
    }
    ~Flood() {
        end_ = true;
        sender_.join();
        counter_.join();
    }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;

    [[nodiscard]] long tried() const { return tried_; }
    [[nodiscard]] const Passed& passed() const { return passed_; }
    // Until what was sent before this call has been counted: the counter has found all three empty, twice.
    void settle() const {
        const long before = idle_;
        while (idle_ < before + 2)
            std::this_thread::yield();
    }

  private:
    void send() {
        const sockaddr_in there = endpoint(kThere);
        const auto in = datagram(kHere), through = datagram(kThere);
        while (!end_) {
            (void)::sendto(socket_.get(), "secret", 6, 0, reinterpret_cast<const sockaddr*>(&there),
                           sizeof there);
            (void)!::write(in_.get(), in.data(), in.size());
            (void)!::write(in_.get(), through.data(), through.size());
            tried_ += 3;
        }
    }
    void count() {
        std::array<std::uint8_t, 2048> packet{};
        while (!end_) {
            std::array<pollfd, 2> ready{{{out_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}}};
            if (::poll(ready.data(), ready.size(), 20) == 0) ++idle_;
            for (ssize_t got = 0; (got = ::read(out_.get(), packet.data(), packet.size())) > 0;) {
                iphdr ip{};
                if (got < static_cast<ssize_t>(sizeof ip) || packet[0] >> 4U != 4) continue;
                std::memcpy(&ip, packet.data(), sizeof ip);
                if (ip.protocol == IPPROTO_UDP)
                    ++(ip.saddr == raw(kAttacker) ? passed_.through : passed_.out);
            }
            while (::recv(socket_.get(), packet.data(), packet.size(), 0) >= 0)
                ++passed_.in;
            while (::read(in_.get(), packet.data(), packet.size()) > 0) {
            }
        }
    }

    Fd out_, in_, socket_;
    std::atomic<bool> end_{false};
    std::atomic<long> tried_{0}, idle_{0};
    Passed passed_;
    std::thread sender_, counter_;
};

plan::LockTable table(unsigned n) {
    plan::LockTable lock;
    if (n % 3 == 0) return lock; // lockdown, no tunnel
    lock.tunnels = {{"home", 0xca6c, {{*IpAddress::parse("203.0.113.1"), static_cast<std::uint16_t>(n)}}}};
    lock.tunnels.front().asks_names = n % 3 == 1;
    return lock;
}

constexpr unsigned kReplacements = 300;

} // namespace

TEST_CASE("no packet passes while the kill switch's table is replaced") {
    sys::Nftables nft;
    REQUIRE(nft.run(plan::render(table(0)).transaction));
    Flood flood;
    const auto replace_all = [&](bool whole) {
        for (unsigned n = 1; n <= kReplacements; ++n) {
            std::string text = plan::render(table(n)).transaction;
            if (!whole)
                for (std::size_t at = 0; (at = text.find("        drop\n")) != std::string::npos;)
                    text.erase(at, std::strlen("        drop\n"));
            REQUIRE(nft.run(text));
        }
        flood.settle();
    };
    replace_all(true);
    std::printf("%u replacements, %ld packets tried: %ld out, %ld in, %ld through\n", kReplacements,
                flood.tried(), flood.passed().out.load(), flood.passed().in.load(),
                flood.passed().through.load());
    CHECK(flood.passed().all() == 0);

    // What it is that stops them. Not a check: a kernel may learn to do better.
    replace_all(false);
    std::printf("the same with chains whose policy alone drops: %ld out, %ld in, %ld through\n",
                flood.passed().out.load(), flood.passed().in.load(), flood.passed().through.load());

    // They would have been seen.
    const long out = flood.passed().out, in = flood.passed().in, through = flood.passed().through;
    REQUIRE(nft.run(plan::render_removal(std::string(plan::kLockTable))));
    for (int i = 0; i < 500 && (flood.passed().out == out || flood.passed().in == in ||
                                flood.passed().through == through);
         ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(flood.passed().out > out);
    CHECK(flood.passed().in > in);
    CHECK(flood.passed().through > through);
}
