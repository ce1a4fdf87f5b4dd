// SPDX-License-Identifier: MIT
#include "common/wgapi/netlink_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "common/wgapi/netlink_attributes.hpp"

namespace wgd::wgnl {
namespace {

constexpr std::chrono::seconds kTimeLimit{10};
constexpr std::size_t kHeader = NLMSG_ALIGN(sizeof(nlmsghdr));

// NLMSG_ERROR and NLMSG_DONE both begin with an int and may end in attributes with the kernel's own words.
Result<void> outcome_of(const nlmsghdr& header, ByteView body) {
    int code = 0;
    if (body.size() >= sizeof code)
        std::memcpy(&code, body.data(), sizeof code);
    else if (header.nlmsg_type == NLMSG_ERROR)
        return fail(ErrorCode::kProtocol, "the kernel's answer is too short");
    if (code == 0) return {};
    std::string words;
    if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
        std::size_t skip = sizeof code;
        if (header.nlmsg_type == NLMSG_ERROR) { // the request's header follows, and its body unless capped
            nlmsghdr request{};
            if (body.size() >= skip + sizeof request)
                std::memcpy(&request, body.data() + skip, sizeof request);
            skip += (header.nlmsg_flags & NLM_F_CAPPED) != 0
                        ? kHeader
                        : std::max<std::size_t>(NLMSG_ALIGN(request.nlmsg_len), kHeader);
        }
        AttributeReader reader(body.subspan(std::min(skip, body.size())));
        for (Attribute each; reader.next(each);)
            if (each.type == NLMSGERR_ATTR_MSG) words = fmt::format(" ({})", each.as_string());
    }
    return fail_errno(ErrorCode::kKernel, -code, "the kernel refused" + words);
}

} // namespace

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
    Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "opening a netlink socket");
    const int on = 1; // wishes only: an old kernel answers without words, or with the whole request
    (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0)
        return fail_errno(ErrorCode::kIo, errno, "connecting a netlink socket");
    return NetlinkSocket(std::move(fd));
}

Result<std::size_t> NetlinkSocket::receive(SecretBytes& buffer,
                                           std::chrono::steady_clock::time_point deadline) {
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd waiting{fd_.get(), POLLIN, 0};
        const int ready = left.count() > 0 ? ::poll(&waiting, 1, static_cast<int>(left.count())) : 0;
        if (ready == 0) return fail(ErrorCode::kTimeout, "the kernel did not answer a netlink request");
        if (ready < 0) {
            if (errno == EINTR) continue;
            return fail_errno(ErrorCode::kIo, errno, "waiting for a netlink answer");
        }
        const auto size = ::recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
        if (size > 0 && static_cast<std::size_t>(size) > buffer.size())
            buffer.resize(static_cast<std::size_t>(size));
        const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR && errno != EAGAIN)
            return fail_errno(ErrorCode::kIo, errno, "reading a netlink answer");
    }
}

Result<void> NetlinkSocket::request(std::uint16_t type, std::uint16_t flags, ByteView payload,
                                    const std::function<Result<void>(ByteView)>& on_message) {
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(kHeader + payload.size());
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = ++sequence_;
    SecretBytes message(kHeader + payload.size());
    std::memcpy(message.data(), &header, sizeof header);
    std::copy(payload.begin(), payload.end(), message.begin() + kHeader);
    if (::send(fd_.get(), message.data(), message.size(), 0) < 0)
        return fail_errno(ErrorCode::kIo, errno, "sending a netlink request");

    const auto deadline = std::chrono::steady_clock::now() + kTimeLimit;
    SecretBytes buffer(32u << 10);
    bool disturbed = false;
    Result<void> handled; // the first error of on_message; the rest of the answer is still read
    while (true) {
        const auto got = receive(buffer, deadline);
        WGD_TRY(got);
        for (ByteView rest(buffer.data(), *got); !rest.empty();) {
            nlmsghdr answer{};
            if (rest.size() >= sizeof answer) std::memcpy(&answer, rest.data(), sizeof answer);
            if (answer.nlmsg_len < kHeader || answer.nlmsg_len > rest.size())
                return fail(ErrorCode::kProtocol, "a netlink answer has a wrong length");
            const auto body = rest.subspan(kHeader, answer.nlmsg_len - kHeader);
            rest = rest.subspan(std::min<std::size_t>(NLMSG_ALIGN(answer.nlmsg_len), rest.size()));
            if (answer.nlmsg_seq != sequence_) continue; // of an earlier request that was given up
            disturbed = disturbed || (answer.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (answer.nlmsg_type == NLMSG_NOOP) continue;
            if (answer.nlmsg_type == NLMSG_ERROR || answer.nlmsg_type == NLMSG_DONE) {
                WGD_TRY(outcome_of(answer, body));
                WGD_TRY(handled);
                if (disturbed)
                    return fail_errno(ErrorCode::kKernel, EINTR, "the dump was disturbed by a change");
                return {};
            }
            if (handled && on_message) handled = on_message(body);
        }
    }
}

} // namespace wgd::wgnl
