// SPDX-License-Identifier: MIT
#include "daemon/sys/netlink_socket.hpp"

#include <array>
#include <cerrno>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <system_error>

namespace wgd::sys {
namespace {

// Enlarges to what the kernel wants to send at once: it makes dump messages up to 32 KiB when the reader's
// last buffer was that large.
constexpr int kReceiveBuffer = 1 << 20;
constexpr int kDatagramsPerTurn = 256;

Result<void> set_option(int fd, int option) {
    const int on = 1;
    if (::setsockopt(fd, SOL_NETLINK, option, &on, sizeof on) != 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot set a netlink option");
    return {};
}

// The kernel names the namespace of a datagram that is not of the socket's own.
bool is_from_other_namespace(const msghdr& header) {
    for (const cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr;
         at = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(at)))
        if (at->cmsg_level == SOL_NETLINK && at->cmsg_type == NETLINK_LISTEN_ALL_NSID) return true;
    return false;
}

} // namespace

void listen_to_other_namespaces(int fd) {
    const int on = 1;
    static_cast<void>(::setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on));
}

void receive_announcements(int fd, std::span<std::uint8_t> buffer, const std::function<void()>& lost,
                           const std::function<void(const nlmsghdr*, bool elsewhere)>& take) {
    for (int i = 0; i < kDatagramsPerTurn; ++i) {
        sockaddr_nl from{};
        iovec vector{buffer.data(), buffer.size()};
        alignas(cmsghdr) std::array<std::uint8_t, 64> control;
        msghdr header{};
        header.msg_name = &from;
        header.msg_namelen = sizeof from;
        header.msg_iov = &vector;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(fd, &header, MSG_TRUNC);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == ENOBUFS) {
            lost();
            continue;
        }
        if (size < 0) return;           // EAGAIN
        if (from.nl_pid != 0) continue; // not the kernel
        if (static_cast<std::size_t>(size) > buffer.size()) {
            lost();
            continue;
        }
        const bool elsewhere = is_from_other_namespace(header);
        int remaining = static_cast<int>(size);
        for (auto* at = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(at, remaining);
             at = nlmsg_next(at, &remaining))
            take(at, elsewhere);
    }
}

NetlinkStatus parse_netlink_status(const nlmsghdr* message) {
    NetlinkStatus status;
    // NLMSG_ERROR: error number, the request's header (payload left out under NETLINK_CAP_ACK), then
    // attributes. NLMSG_DONE: error number, then attributes.
    const bool is_error = message->nlmsg_type == NLMSG_ERROR;
    const auto* number = fixed_header<int>(message);
    if (number == nullptr) {
        if (is_error) status.error = EBADMSG;
        return status;
    }
    status.error = *number < 0 ? -*number : *number;
    if (status.error == 0 || (message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return status;
    std::size_t fixed = sizeof(int);
    if (is_error) {
        const auto* error = fixed_header<nlmsgerr>(message);
        if (error == nullptr) return status;
        fixed = sizeof(nlmsgerr);
        if ((message->nlmsg_flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len >= sizeof(nlmsghdr))
            fixed += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
    }
    if (message->nlmsg_len < sizeof(nlmsghdr) + fixed) return status;
    status.text = NetlinkAttributes::of(message, fixed).text(NLMSGERR_ATTR_MSG);
    return status;
}

Failure netlink_failure(const NetlinkStatus& status, std::string_view what) {
    Error error;
    error.sys_errno = status.error;
    switch (status.error) {
    case EPERM:
        error.code = ErrorCode::kNotAuthorized;
        break;
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
        error.code = ErrorCode::kUnsupported;
        break;
    default:
        error.code = ErrorCode::kKernel;
    }
    error.message = std::string(what) + ": " + std::generic_category().message(status.error);
    if (!status.text.empty()) error.message += " (" + status.text + ")";
    return fail(std::move(error));
}

Result<NetlinkSocket> NetlinkSocket::open(int family) {
    static_assert(NETLINK_ROUTE == 0);
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family));
    if (!fd) return fail_errno(ErrorCode::kKernel, errno, "cannot open a netlink socket");
    WGD_TRY(set_option(fd.get(), NETLINK_EXT_ACK));
    WGD_TRY(set_option(fd.get(), NETLINK_CAP_ACK));
    // Without it the kernel ignores a dump's filters, and checks less of what we send.
    WGD_TRY(set_option(fd.get(), NETLINK_GET_STRICT_CHK));
    static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    socklen_t length = sizeof address;
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot bind a netlink socket");
    return NetlinkSocket(std::move(fd), address.nl_pid);
}

Result<void> NetlinkSocket::send(NetlinkMessage& message, int flags, std::string_view what) {
    nlmsghdr* header = message.header();
    if (header == nullptr)
        return fail(ErrorCode::kInternal, std::string(what) + ": the netlink message is too long");
    header->nlmsg_seq = ++sequence_;
    header->nlmsg_pid = port_id_;
    header->nlmsg_flags = static_cast<std::uint16_t>(header->nlmsg_flags | NLM_F_REQUEST | flags);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    ssize_t sent = -1;
    do {
        sent = ::sendto(fd_.get(), header, header->nlmsg_len, 0, reinterpret_cast<sockaddr*>(&kernel),
                        sizeof kernel);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return fail_errno(ErrorCode::kKernel, errno, what);
    return {};
}

Result<std::size_t> NetlinkSocket::receive(std::string_view what) {
    for (;;) {
        sockaddr_nl from{};
        iovec part{buffer_.data(), buffer_.size()};
        msghdr header{};
        header.msg_name = &from;
        header.msg_namelen = sizeof from;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        // With MSG_PEEK|MSG_TRUNC first, a datagram larger than the buffer is seen before it is lost.
        ssize_t size = ::recvmsg(fd_.get(), &header, MSG_PEEK | MSG_TRUNC);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return fail_errno(ErrorCode::kKernel, errno, what);
        if (static_cast<std::size_t>(size) > buffer_.size()) buffer_.resize(static_cast<std::size_t>(size));
        part = {buffer_.data(), buffer_.size()};
        do {
            size = ::recvmsg(fd_.get(), &header, 0);
        } while (size < 0 && errno == EINTR);
        if (size < 0) return fail_errno(ErrorCode::kKernel, errno, what);
        if (from.nl_pid != 0) continue; // any process may send to us; only the kernel is listened to
        return static_cast<std::size_t>(size);
    }
}

Result<void> NetlinkSocket::request(NetlinkMessage& message, std::string_view what) {
    return query(message, what, nullptr);
}

Result<void> NetlinkSocket::query(NetlinkMessage& message, std::string_view what, const Visit& answer) {
    WGD_TRY(send(message, NLM_F_ACK, what));
    for (;;) {
        auto size = receive(what);
        if (!size) return fail(std::move(size).error());
        int remaining = static_cast<int>(*size);
        for (auto* at = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(at, remaining);
             at = nlmsg_next(at, &remaining)) {
            if (at->nlmsg_seq != sequence_) continue; // of an exchange that was given up
            if (at->nlmsg_type == NLMSG_ERROR) {
                const NetlinkStatus status = parse_netlink_status(at);
                if (status.error != 0) return netlink_failure(status, what);
                return {};
            }
            if (answer && at->nlmsg_type >= NLMSG_MIN_TYPE) answer(at);
        }
    }
}

Result<NetlinkSocket::DumpEnd> NetlinkSocket::collect(std::string_view what,
                                                      std::vector<std::uint8_t>& into) {
    bool interrupted = false;
    for (;;) {
        auto size = receive(what);
        if (!size) return fail(std::move(size).error());
        int remaining = static_cast<int>(*size);
        for (auto* at = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(at, remaining);
             at = nlmsg_next(at, &remaining)) {
            if (at->nlmsg_seq != sequence_) continue;
            if ((at->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
            if (at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR) {
                const NetlinkStatus status = parse_netlink_status(at);
                if (status.error == EINTR) interrupted = true;
                if (status.error != 0 && !interrupted) return netlink_failure(status, what);
                return interrupted ? DumpEnd::kInterrupted : DumpEnd::kComplete;
            }
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(at);
            into.insert(into.end(), bytes, bytes + NLMSG_ALIGN(at->nlmsg_len));
        }
    }
}

Result<void> NetlinkSocket::dump(NetlinkMessage& message, std::string_view what, const Visit& visit) {
    std::vector<std::uint8_t> messages;
    for (int attempt = 0; attempt < kMaxDumpAttempts; ++attempt) {
        messages.clear();
        WGD_TRY(send(message, NLM_F_DUMP, what));
        auto end = collect(what, messages);
        if (!end) return fail(std::move(end).error());
        if (*end == DumpEnd::kInterrupted) continue;
        int remaining = static_cast<int>(messages.size());
        for (auto* at = reinterpret_cast<nlmsghdr*>(messages.data()); nlmsg_ok(at, remaining);
             at = nlmsg_next(at, &remaining))
            visit(at);
        return {};
    }
    return fail(ErrorCode::kKernel, std::string(what) + ": it changes faster than it can be read");
}

} // namespace wgd::sys
