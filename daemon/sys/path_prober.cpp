// SPDX-License-Identifier: MIT
#include "daemon/sys/path_prober.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <vector>

#include "common/base/fd.hpp"
#include "daemon/plan/mtu_search.hpp"

namespace wgd::sys {
namespace {

// RFC 8899 5.1.2 and 5.1.3: MAX_PROBES packets of one size, PROBE_TIMER not below a second.
constexpr unsigned kMaxProbes = 3;
constexpr Duration kProbeTimer = std::chrono::seconds(1);
// What any path carries: of IPv4 what every host takes in (RFC 791), of IPv6 what every link does (RFC 8200
// section 5).
constexpr std::uint32_t kFloorV4 = 576;
constexpr std::uint32_t kFloorV6 = 1280;
constexpr std::size_t kHeaderV4 = 20;
constexpr std::size_t kHeaderV6 = 40;

// The head of an echo request or reply, the same in both families (RFC 792, RFC 4443).
struct Echo {
    std::uint8_t type;
    std::uint8_t code;
    std::uint16_t checksum;
    std::uint16_t id;
    std::uint16_t sequence;
};

// RFC 1071. Of ICMPv6 the kernel computes it.
std::uint16_t checksum(const std::vector<std::uint8_t>& bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
    if (bytes.size() % 2 != 0) sum += static_cast<std::uint32_t>(bytes.back()) << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons(static_cast<std::uint16_t>(~sum));
}

template <class T>
bool set(const Fd& fd, int level, int option, const T& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
}

Result<Fd> open_socket(const IpAddress& destination, std::uint32_t mark) {
    const bool v4 = destination.is_v4();
    Fd fd(::socket(destination.af(), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket for echo requests");
    const int on = 1;
    bool ready = mark == 0 || set(fd, SOL_SOCKET, SO_MARK, mark);
    if (v4) {
        const int probe = IP_PMTUDISC_PROBE; // never fragmented, whatever the kernel believes of the path
        const std::uint32_t others = ~(1U << ICMP_ECHOREPLY);
        ready = ready && set(fd, IPPROTO_IP, IP_MTU_DISCOVER, probe) && set(fd, IPPROTO_IP, IP_RECVERR, on) &&
                set(fd, SOL_RAW, ICMP_FILTER, others);
    } else {
        const int probe = IPV6_PMTUDISC_PROBE;
        icmp6_filter others{};
        std::memset(&others, 0xff, sizeof others);
        others.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1U << (ICMPV6_ECHO_REPLY & 31));
        ready = ready && set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, probe) &&
                set(fd, IPPROTO_IPV6, IPV6_DONTFRAG, on) && set(fd, IPPROTO_IPV6, IPV6_RECVERR, on) &&
                set(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, others);
    }
    if (!ready) return fail_errno(ErrorCode::kIo, errno, "cannot prepare a socket for echo requests");
    sockaddr_storage address{};
    const socklen_t length = Endpoint{destination, 0, 0}.to_sockaddr(address);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return fail_errno(ErrorCode::kIo, errno, "no way to " + destination.to_string());
    return fd;
}

// One measurement, from its first packet to its last.
class Probing final : public ports::PathProber::Measurement {
  public:
    Probing(loop::EventLoop& loop, const IpAddress& destination, std::uint32_t ceiling,
            ports::PathProber::Found found)
        : loop_(loop)
        , v4_(destination.is_v4())
        , search_(v4_ ? kFloorV4 : kFloorV6, ceiling)
        , found_(std::move(found)) {}

    Result<void> start(const IpAddress& destination, std::uint32_t mark) {
        auto fd = open_socket(destination, mark);
        if (!fd) return fail(std::move(fd).error());
        fd_ = std::move(*fd);
        // An answer that nobody could know without having seen the question.
        if (::getrandom(&id_, sizeof id_, 0) != static_cast<ssize_t>(sizeof id_) ||
            ::getrandom(secret_.data(), secret_.size(), 0) != static_cast<ssize_t>(secret_.size()))
            return fail_errno(ErrorCode::kIo, errno, "no random numbers");
        auto source = loop_.add_fd(fd_.get(), EPOLLIN, [this](std::uint32_t) { read(); });
        if (!source) return fail(std::move(source).error());
        source_ = std::move(*source);
        // Not from within measure(): whoever asked has nothing to hold us by yet.
        return again_after(Duration::zero());
    }

  private:
    Result<void> again_after(Duration delay) {
        auto timer = loop_.add_timer(delay, [this] { send(); });
        if (!timer) return fail(std::move(timer).error());
        timer_ = std::move(*timer);
        return {};
    }

    // The next packet, or the same again.
    void send() {
        const auto size = search_.next();
        if (!size) return end(search_.result());
        if (sent_ == kMaxProbes) {
            sent_ = 0;
            search_.silent();
            return send();
        }
        ++sent_;
        ++sequence_;
        std::vector<std::uint8_t> packet(*size - (v4_ ? kHeaderV4 : kHeaderV6));
        Echo echo{};
        echo.type = v4_ ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
        echo.id = id_;
        echo.sequence = htons(sequence_);
        std::memcpy(packet.data() + sizeof echo, secret_.data(), secret_.size());
        std::memcpy(packet.data(), &echo, sizeof echo);
        if (v4_) {
            echo.checksum = checksum(packet);
            std::memcpy(packet.data(), &echo, sizeof echo);
        }
        if (::send(fd_.get(), packet.data(), packet.size(), 0) < 0 && errno == EMSGSIZE) {
            // Larger than the first link: its MTU changed meanwhile.
            sent_ = 0;
            search_.too_big(0);
            return send();
        }
        // Any other refusal (no route, a firewall) is silence: the next try may fare better.
        if (auto waiting = again_after(kProbeTimer); !waiting) end(fail(std::move(waiting).error()));
    }

    void read() {
        std::array<std::uint8_t, 2048> packet{};
        for (;;) {
            const ssize_t size = ::recv(fd_.get(), packet.data(), packet.size(), 0);
            if (size < 0 && errno == EINTR) continue;
            if (size < 0 && errno == EAGAIN) break;
            // An error that is pending is reported by the call; what it was is in the queue.
            if (size >= 0 && is_ours(packet.data(), static_cast<std::size_t>(size))) {
                sent_ = 0;
                search_.answered();
                return send();
            }
            if (size < 0) break;
        }
        if (const auto mtu = read_error()) {
            sent_ = 0;
            search_.too_big(*mtu);
            send();
        }
    }

    // IPv4 gives its header along (raw(7)), IPv6 does not.
    bool is_ours(const std::uint8_t* packet, std::size_t size) const {
        std::size_t at = 0;
        if (v4_) {
            if (size < kHeaderV4) return false;
            at = static_cast<std::size_t>(packet[0] & 0x0f) * 4;
        }
        Echo echo{};
        if (size < at + sizeof echo + secret_.size()) return false;
        std::memcpy(&echo, packet + at, sizeof echo);
        return echo.type == (v4_ ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY) && echo.id == id_ &&
               ntohs(echo.sequence) == sequence_ &&
               std::memcmp(packet + at + sizeof echo, secret_.data(), secret_.size()) == 0;
    }

    // The MTU that a router named for the packet we wait for; what else is in the queue is taken out of it.
    std::optional<std::uint32_t> read_error() {
        std::optional<std::uint32_t> mtu;
        for (;;) {
            Echo echo{};
            iovec quoted{&echo, sizeof echo};
            alignas(cmsghdr) std::array<std::uint8_t, 512> control{};
            msghdr message{};
            message.msg_iov = &quoted;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            const ssize_t size = ::recvmsg(fd_.get(), &message, MSG_ERRQUEUE);
            if (size < 0 && errno == EINTR) continue;
            if (size < 0) return mtu;
            if (size < static_cast<ssize_t>(sizeof echo) || echo.id != id_ ||
                ntohs(echo.sequence) != sequence_)
                continue;
            for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
                if (!(at->cmsg_level == SOL_IP && at->cmsg_type == IP_RECVERR) &&
                    !(at->cmsg_level == SOL_IPV6 && at->cmsg_type == IPV6_RECVERR))
                    continue;
                sock_extended_err error{};
                std::memcpy(&error, CMSG_DATA(at), sizeof error);
                if (error.ee_errno == EMSGSIZE && error.ee_origin != SO_EE_ORIGIN_LOCAL) mtu = error.ee_info;
            }
        }
    }

    void end(Result<std::optional<std::uint32_t>> result) {
        source_.reset();
        timer_.reset();
        const auto found = std::move(found_); // may destroy this
        found(std::move(result));
    }

    loop::EventLoop& loop_;
    bool v4_;
    plan::MtuSearch search_;
    ports::PathProber::Found found_;
    Fd fd_;
    loop::SourcePtr source_, timer_;
    std::uint16_t id_ = 0;
    std::uint16_t sequence_ = 0;
    std::array<std::uint8_t, 16> secret_{};
    unsigned sent_ = 0; // packets of the present size
};

} // namespace

std::unique_ptr<ports::PathProber::Measurement>
PathProber::measure(const IpAddress& destination, std::uint32_t mark, std::uint32_t ceiling, Found found) {
    auto probing = std::make_unique<Probing>(loop_, destination, ceiling, found);
    if (auto started = probing->start(destination, mark); !started) {
        found(fail(std::move(started).error()));
        return nullptr;
    }
    return probing;
}

} // namespace wgd::sys
