// SPDX-License-Identifier: MIT
#include "datapath/io/udp_socket.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/time.h>

namespace wgd::io {

namespace {

// What waits here is delay for everyone: a thread that is kept from its core for some milliseconds at 5
// Gbit/s must not lose anything, and more than that only makes loaded pings slower (docs/performance.md).
constexpr int kBufferBytes = 3 << 20;

template <class T>
bool set(int fd, int level, int option, T value) {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<void> share_port(int fd) {
    if (!set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return fail_errno(ErrorCode::kIo, errno, "cannot set SO_REUSEPORT");
    return {};
}

// `join`: the port is ours already, by a socket that shares it.
Result<Fd> bind_one(int family, std::uint16_t port, std::uint32_t mark, const Offloads& offloads, bool join) {
    const char* const name = family == AF_INET ? "IPv4" : "IPv6";
    Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail_errno(errno == EAFNOSUPPORT ? ErrorCode::kUnsupported : ErrorCode::kIo, errno,
                          std::string("cannot open an ") + name + " socket");

    // More than the sysctl allows with CAP_NET_ADMIN, what it allows without.
    if (!set(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kBufferBytes))
        set(fd.get(), SOL_SOCKET, SO_RCVBUF, kBufferBytes);
    if (!set(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, kBufferBytes))
        set(fd.get(), SOL_SOCKET, SO_SNDBUF, kBufferBytes);
    // Sending blocks while the device's queue is full: that is the back-pressure. But never for long, since
    // the thread has to notice when it is told to stop.
    set(fd.get(), SOL_SOCKET, SO_SNDTIMEO, timeval{0, 100000});

    if (family == AF_INET) {
        set(fd.get(), IPPROTO_IP, IP_PKTINFO, 1);
        set(fd.get(), IPPROTO_IP, IP_RECVTOS, 1);
        // The tunnel's own MTU is chosen to fit; where it does not, outer packets are fragmented, as the
        // kernel's do.
        set(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    } else {
        if (!set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1))
            return fail_errno(ErrorCode::kIo, errno, "cannot set IPV6_V6ONLY");
        set(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        set(fd.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        set(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    }
    if (offloads.udp_gro) set(fd.get(), IPPROTO_UDP, UDP_GRO, 1);
    if (mark != 0) WGD_TRY(set_socket_mark(fd.get(), mark));
    if (join) WGD_TRY(share_port(fd.get()));

    sockaddr_storage address{};
    socklen_t length = 0;
    if (family == AF_INET) {
        auto& in = reinterpret_cast<sockaddr_in&>(address);
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        length = sizeof in;
    } else {
        auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(port);
        length = sizeof in6;
    }
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) < 0) {
        const int err = errno;
        return fail_errno(err == EADDRINUSE ? ErrorCode::kConflict : ErrorCode::kIo, err,
                          std::string("cannot listen on ") + name + " UDP port " + std::to_string(port));
    }
    return fd;
}

Result<std::uint16_t> port_of(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot read a socket's port");
    const auto endpoint = Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
    if (!endpoint) return fail(ErrorCode::kInternal, "a UDP socket without a port");
    return endpoint->port;
}

// All sockets of a family. The first is bound alone and shares its port only then: had it the option before,
// two tunnels of one user could have the same port, and each would silently get a part of both's packets.
Result<std::vector<Fd>> bind_family(int family, std::uint16_t port, std::uint32_t mark,
                                    const SocketOptions& options) {
    std::vector<Fd> sockets;
    Result<Fd> first = bind_one(family, port, mark, options.offloads, false);
    WGD_TRY(first);
    sockets.push_back(std::move(*first));
    if (options.per_family == 1) return sockets;
    const Result<std::uint16_t> taken = port_of(sockets.front().get());
    WGD_TRY(taken);
    WGD_TRY(share_port(sockets.front().get()));
    while (sockets.size() < options.per_family) {
        Result<Fd> next = bind_one(family, *taken, mark, options.offloads, true);
        WGD_TRY(next);
        sockets.push_back(std::move(*next));
    }
    return sockets;
}

// A host without this family, or with it switched off, is no error: the other one serves.
bool family_missing(const Error& error) {
    return error.sys_errno == EAFNOSUPPORT || error.sys_errno == EADDRNOTAVAIL ||
           error.sys_errno == EPROTONOSUPPORT;
}

} // namespace

Result<void> set_socket_mark(int fd, std::uint32_t mark) {
    if (!set(fd, SOL_SOCKET, SO_MARK, mark))
        return fail_errno(errno == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kIo, errno,
                          "cannot set the firewall mark");
    return {};
}

Result<BoundSockets> bind_sockets(std::uint16_t port, std::uint32_t mark, const SocketOptions& options) {
    // With port 0 the first family's choice may be taken in the other: ask again for another one.
    for (int attempt = 0;; ++attempt) {
        BoundSockets sockets;
        Result<std::vector<Fd>> v4 = bind_family(AF_INET, port, mark, options);
        if (v4) {
            Result<std::uint16_t> got = port_of(v4->front().get());
            WGD_TRY(got);
            sockets.port = *got;
            sockets.v4 = std::move(*v4);
        } else if (!family_missing(v4.error())) {
            return fail(std::move(v4).error());
        }
        Result<std::vector<Fd>> v6 =
            bind_family(AF_INET6, sockets.v4.empty() ? port : sockets.port, mark, options);
        if (v6) {
            Result<std::uint16_t> got = port_of(v6->front().get());
            WGD_TRY(got);
            sockets.port = *got;
            sockets.v6 = std::move(*v6);
        } else if (port == 0 && v6.error().sys_errno == EADDRINUSE && attempt < 100) {
            continue;
        } else if (!family_missing(v6.error()) || sockets.v4.empty()) {
            return fail(std::move(v6).error());
        }
        return sockets;
    }
}

namespace {

template <class T>
void append(std::uint8_t* control, std::size_t& used, int level, int type, const T& value) {
    cmsghdr header{};
    header.cmsg_level = level;
    header.cmsg_type = type;
    header.cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(control + used, &header, sizeof header);
    std::memcpy(control + used + CMSG_LEN(0), &value, sizeof value);
    used += CMSG_SPACE(sizeof value);
}

} // namespace

void MessageHead::encode(const wg::Path& path, bool with_source, std::uint8_t tos,
                         std::uint16_t segment_size) {
    remote_size_ = path.remote.to_sockaddr(remote_);
    control_.fill(0);
    control_size_ = 0;
    const bool v4 = path.remote.address.is_v4();
    if (with_source && !path.local.is_unspecified() && path.local.is_v4() == v4) {
        if (v4) {
            in_pktinfo info{}; // no interface: the address is what must stay the same, the way is the routing
                               // table's
            std::memcpy(&info.ipi_spec_dst, path.local.bytes().data(), 4);
            append(control_.data(), control_size_, IPPROTO_IP, IP_PKTINFO, info);
        } else {
            in6_pktinfo info{};
            if (path.local.is_link_local()) info.ipi6_ifindex = path.local_ifindex; // ambiguous without
            std::memcpy(&info.ipi6_addr, path.local.bytes().data(), 16);
            append(control_.data(), control_size_, IPPROTO_IPV6, IPV6_PKTINFO, info);
        }
    }
    if (tos != 0) {
        if (v4)
            append(control_.data(), control_size_, IPPROTO_IP, IP_TOS, static_cast<int>(tos));
        else
            append(control_.data(), control_size_, IPPROTO_IPV6, IPV6_TCLASS, static_cast<int>(tos));
    }
    if (segment_size != 0) append(control_.data(), control_size_, IPPROTO_UDP, UDP_SEGMENT, segment_size);
}

void MessageHead::fill(msghdr& message) {
    message.msg_name = &remote_;
    message.msg_namelen = remote_size_;
    message.msg_control = control_size_ != 0 ? control_.data() : nullptr;
    message.msg_controllen = control_size_;
}

bool decode_received(const msghdr& message, ReceivedHead& out) {
    out = {};
    const auto remote =
        Endpoint::from_sockaddr(static_cast<const sockaddr*>(message.msg_name), message.msg_namelen);
    if (!remote || remote->port == 0) return false;
    out.path.remote = *remote;
    auto* mutable_message = const_cast<msghdr*>(&message); // CMSG_NXTHDR of older glibc takes no const
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
         head = CMSG_NXTHDR(mutable_message, head)) {
        const std::uint8_t* data = CMSG_DATA(head);
        if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
            in_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            std::array<std::uint8_t, 4> address;
            std::memcpy(address.data(), &info.ipi_spec_dst, 4);
            out.path.local = IpAddress::v4(address);
            out.path.local_ifindex = static_cast<std::uint32_t>(info.ipi_ifindex);
        } else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, data, sizeof info);
            std::array<std::uint8_t, 16> address;
            std::memcpy(address.data(), &info.ipi6_addr, 16);
            out.path.local = IpAddress::v6(address);
            out.path.local_ifindex = info.ipi6_ifindex;
        } else if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_TOS) {
            out.tos = *data;
        } else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_TCLASS) {
            int tos = 0;
            std::memcpy(&tos, data, sizeof tos);
            out.tos = static_cast<std::uint8_t>(tos);
        } else if (head->cmsg_level == IPPROTO_UDP && head->cmsg_type == UDP_GRO) {
            int size = 0;
            std::memcpy(&size, data, sizeof size);
            out.segment_size = static_cast<std::uint16_t>(size);
        }
    }
    return true;
}

namespace {

// What stands in for a socket that is not there: never readable, and sending through it fails.
Fd placeholder() {
    return Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

} // namespace

Result<std::unique_ptr<UdpSockets>> UdpSockets::make(const SocketOptions& options) {
    std::vector<Fd> v4, v6;
    for (auto* const sockets : {&v4, &v6}) {
        for (std::size_t i = 0; i < options.per_family; ++i) {
            sockets->push_back(placeholder());
            if (!sockets->back()) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket");
        }
    }
    Fd nothing = placeholder();
    if (!nothing) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket");
    return std::unique_ptr<UdpSockets>(
        new UdpSockets(std::move(v4), std::move(v6), std::move(nothing), options.offloads.udp_gso));
}

Result<void> UdpSockets::replace(BoundSockets sockets) {
    const auto place = [&](const std::vector<Fd>& from, std::vector<Fd>& to) {
        for (std::size_t i = 0; i < to.size(); ++i) {
            // dup2 is atomic for everyone who uses the number; calls under way finish on the old socket.
            if (::dup3(i < from.size() ? from[i].get() : nothing_.get(), to[i].get(), O_CLOEXEC) < 0)
                return false;
        }
        return true;
    };
    if (!place(sockets.v4, v4_) || !place(sockets.v6, v6_))
        return fail_errno(ErrorCode::kIo, errno, "cannot put a new socket in place");
    return {};
}

} // namespace wgd::io
