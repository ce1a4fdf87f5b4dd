// SPDX-License-Identifier: MIT
// The kernel's answers as bytes: <linux/netlink.h>, NLMSG_ERROR with and without NETLINK_CAP_ACK and
// NETLINK_EXT_ACK.
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "daemon/sys/netlink_socket.hpp"

using namespace wgd;
using namespace wgd::sys;

namespace {

struct Answer {
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(sizeof(nlmsghdr));

    Answer& add(const void* data, std::size_t size) {
        const auto* from = static_cast<const std::uint8_t*>(data);
        bytes.insert(bytes.end(), from, from + size);
        bytes.resize(NLMSG_ALIGN(bytes.size()));
        return *this;
    }
    Answer& number(int value) { return add(&value, sizeof value); }
    // The header of the request that is answered, of `payload` bytes beyond it, which follow if `whole`.
    Answer& request(std::uint32_t payload, bool whole) {
        nlmsghdr header{};
        header.nlmsg_len = static_cast<std::uint32_t>(sizeof header) + payload;
        add(&header, sizeof header);
        if (whole) bytes.resize(bytes.size() + NLMSG_ALIGN(payload), 0xee);
        return *this;
    }
    Answer& text(std::uint16_t type, const std::string& words) {
        nlattr attribute{static_cast<std::uint16_t>(sizeof(nlattr) + words.size() + 1), type};
        std::vector<std::uint8_t> raw(attribute.nla_len);
        std::memcpy(raw.data(), &attribute, sizeof attribute);
        std::memcpy(raw.data() + sizeof attribute, words.c_str(), words.size() + 1);
        return add(raw.data(), raw.size());
    }
    NetlinkStatus parse(std::uint16_t type, std::uint16_t flags) {
        nlmsghdr header{};
        header.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
        header.nlmsg_type = type;
        header.nlmsg_flags = flags;
        std::memcpy(bytes.data(), &header, sizeof header);
        // An exact copy, so that a sanitizer sees a read beyond the end.
        const std::vector<std::uint8_t> exact = bytes;
        return parse_netlink_status(reinterpret_cast<const nlmsghdr*>(exact.data()));
    }
};

} // namespace

TEST_CASE("an acknowledgement is no error") {
    CHECK(Answer().number(0).request(16, false).parse(NLMSG_ERROR, NLM_F_CAPPED).error == 0);
    CHECK(Answer().number(0).parse(NLMSG_DONE, 0).error == 0);
    CHECK(Answer().parse(NLMSG_DONE, 0).error == 0);
}

TEST_CASE("an error has its number, and the kernel's text where there is one") {
    auto plain = Answer().number(-ENODEV).request(16, false).parse(NLMSG_ERROR, NLM_F_CAPPED);
    CHECK(plain.error == ENODEV);
    CHECK(plain.text.empty());
    auto capped = Answer()
                      .number(-EINVAL)
                      .request(200, false)
                      .text(NLMSGERR_ATTR_MSG, "mtu less than device minimum")
                      .parse(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS);
    CHECK(capped.error == EINVAL);
    CHECK(capped.text == "mtu less than device minimum");
    auto whole = Answer()
                     .number(-EINVAL)
                     .request(29, true)
                     .text(NLMSGERR_ATTR_OFFS, "abc")
                     .text(NLMSGERR_ATTR_MSG, "words")
                     .parse(NLMSG_ERROR, NLM_F_ACK_TLVS);
    CHECK(whole.text == "words");
    auto dump = Answer()
                    .number(-ENOENT)
                    .text(NLMSGERR_ATTR_MSG, "table does not exist")
                    .parse(NLMSG_DONE, NLM_F_ACK_TLVS);
    CHECK(dump.error == ENOENT);
    CHECK(dump.text == "table does not exist");
    CHECK(netlink_failure(dump, "cannot read").value().message ==
          "cannot read: No such file or directory (table does not exist)");
}

TEST_CASE("answers cut short are errors without a text, and nothing is read behind them") {
    CHECK(Answer().parse(NLMSG_ERROR, 0).error == EBADMSG);
    CHECK(Answer().number(-EPERM).parse(NLMSG_ERROR, NLM_F_ACK_TLVS).error == EPERM);
    // The request is said to be whole, and is not there.
    CHECK(Answer().number(-EPERM).request(4000, false).parse(NLMSG_ERROR, NLM_F_ACK_TLVS).text.empty());
    CHECK(Answer().number(-EPERM).request(0xfffffff0, false).parse(NLMSG_ERROR, NLM_F_ACK_TLVS).text.empty());
}

TEST_CASE("what the caller may not do and what the kernel cannot do have codes of their own") {
    CHECK(netlink_failure({EPERM, ""}, "x").value().code == ErrorCode::kNotAuthorized);
    CHECK(netlink_failure({EOPNOTSUPP, ""}, "x").value().code == ErrorCode::kUnsupported);
    CHECK(netlink_failure({EEXIST, ""}, "x").value().code == ErrorCode::kKernel);
    CHECK(netlink_failure({EEXIST, ""}, "x").value().sys_errno == EEXIST);
}
