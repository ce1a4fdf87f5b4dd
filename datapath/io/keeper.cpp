// SPDX-License-Identifier: MIT
#include "datapath/io/keeper.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/wait.h>
#include <vector>

#include "common/base/log.hpp"

namespace wgd::io {

namespace {

enum class Order : std::uint32_t { kBind = 1, kMark = 2 };

struct Request {
    Order order = Order::kBind;
    std::uint32_t mark = 0;
    std::uint32_t port = 0;
};
struct Reply {
    std::int32_t error = 0; // errno
    ErrorCode code = ErrorCode::kInternal;
    std::uint32_t port = 0;
    std::uint32_t v4 =
        0; // how many of the descriptors that come with it, the first, are IPv4's; the others are IPv6's
    char message[160] = {};
};

constexpr std::size_t kMaxDescriptors = 2 * kMaxSocketsPerFamily;

template <class Message>
bool send_with(int channel, const Message& body, const std::vector<int>& fds) {
    iovec vector{const_cast<Message*>(&body), sizeof body};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::uint8_t control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(head), fds.data(), fds.size() * sizeof(int));
    }
    return ::sendmsg(channel, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof body);
}

// False: the other side is gone or spoke nonsense.
template <class Message>
bool receive_with(int channel, Message& body, std::vector<Fd>& descriptors) {
    iovec vector{&body, sizeof body};
    alignas(cmsghdr) std::uint8_t control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = 0;
    do
        got = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); got > 0 && head != nullptr;
         head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return got == static_cast<ssize_t>(sizeof body) && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

Failure failure_of(const Reply& reply) {
    return fail(Error{reply.code, std::string(reply.message, ::strnlen(reply.message, sizeof reply.message)),
                      reply.error});
}

Failure keeper_gone() {
    return fail(ErrorCode::kIo, "the privileged parent is gone");
}

void describe(Reply& reply, const Error& error) {
    reply.error = error.sys_errno != 0 ? error.sys_errno : EIO;
    reply.code = error.code;
    std::memcpy(reply.message, error.message.data(),
                std::min(error.message.size(), sizeof reply.message - 1));
}

bool is_udp(int fd) {
    int protocol = 0;
    socklen_t length = sizeof protocol;
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_UDP;
}

// One request. False: end of the conversation.
bool serve(int channel, const SocketOptions& options) {
    Request request;
    std::vector<Fd> descriptors;
    if (!receive_with(channel, request, descriptors)) return false;
    Reply reply;
    BoundSockets sockets;
    switch (request.order) {
    case Order::kBind: {
        if (request.port > 65535) return false;
        Result<BoundSockets> bound =
            bind_sockets(static_cast<std::uint16_t>(request.port), request.mark, options);
        if (bound) {
            sockets = std::move(*bound);
            reply.port = sockets.port;
            reply.v4 = static_cast<std::uint32_t>(sockets.v4.size());
        } else {
            describe(reply, bound.error());
        }
        break;
    }
    case Order::kMark:
        for (const Fd& fd : descriptors) {
            if (!is_udp(fd.get())) return false; // nothing else is to be marked
            if (const auto marked = set_socket_mark(fd.get(), request.mark); !marked)
                describe(reply, marked.error());
        }
        break;
    default:
        return false;
    }
    std::vector<int> sent;
    for (const auto* family : {&sockets.v4, &sockets.v6})
        for (const Fd& fd : *family)
            sent.push_back(fd.get());
    return send_with(channel, reply, sent);
}

} // namespace

Result<BoundSockets> KeptSocketSource::bind(std::uint16_t port, std::uint32_t mark) {
    Reply reply;
    std::vector<Fd> descriptors;
    if (!send_with(channel_.get(), Request{Order::kBind, mark, port}, {}) ||
        !receive_with(channel_.get(), reply, descriptors))
        return keeper_gone();
    if (reply.error != 0) return failure_of(reply);
    BoundSockets sockets;
    sockets.port = static_cast<std::uint16_t>(reply.port);
    for (std::size_t i = 0; i < descriptors.size(); ++i)
        (i < reply.v4 ? sockets.v4 : sockets.v6).push_back(std::move(descriptors[i]));
    return sockets;
}

Result<void> KeptSocketSource::set_mark(UdpSockets& sockets, std::uint32_t mark) {
    // The keeper holds no socket, or a port would stay taken: it gets these to look at.
    std::vector<int> shown;
    for (const Family family : {Family::kIpv4, Family::kIpv6})
        for (std::size_t i = 0; i < sockets.per_family(); ++i)
            if (const int fd = sockets.fd(family, i); is_udp(fd)) shown.push_back(fd); // else a placeholder
    Reply reply;
    std::vector<Fd> descriptors;
    if (!send_with(channel_.get(), Request{Order::kMark, mark, 0}, shown) ||
        !receive_with(channel_.get(), reply, descriptors))
        return keeper_gone();
    if (reply.error != 0) return failure_of(reply);
    return {};
}

Result<std::pair<Fd, Fd>> make_keeper_channel() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot make a socket pair");
    return std::pair<Fd, Fd>(Fd(ends[0]), Fd(ends[1]));
}

int keep(Fd channel, Fd signals, pid_t worker, const SocketOptions& options, UapiSocket& file) {
    bool told_to_end = false;
    for (;;) {
        pollfd fds[2] = {{channel.get(), POLLIN, 0}, {told_to_end ? -1 : signals.get(), POLLIN, 0}};
        if (::poll(fds, 2, -1) < 0) continue;
        if (fds[1].revents != 0) {
            told_to_end = true;
            ::shutdown(channel.get(), SHUT_RDWR);
        }
        if (fds[0].revents != 0 && !serve(channel.get(), options)) break;
    }
    channel.reset(); // if it spoke nonsense, this ends it
    int status = 0;
    while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
    }
    file.unlink();
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    log::error("the datapath was ended by signal {}", WTERMSIG(status));
    return 1;
}

} // namespace wgd::io
