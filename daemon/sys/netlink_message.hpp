// SPDX-License-Identifier: MIT
// NetlinkMessage: one request being built. NetlinkAttributes: the attributes of one message that was
// received. Both over libnl's nlmsg/nla calls; addresses and names go in and out as the project's own values.
#pragma once

#include <cstdint>
#include <linux/netlink.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"

struct nl_msg;
struct nlattr;

namespace wgd::sys {

class NetlinkMessage {
  public:
    // `header` is the family's fixed struct that follows nlmsghdr (ifinfomsg, rtmsg ...).
    template <class Header>
    NetlinkMessage(int type, int flags, const Header& header)
        : NetlinkMessage(type, flags, &header, sizeof header) {}

    NetlinkMessage& put_u8(int type, std::uint8_t value);
    NetlinkMessage& put_u16(int type, std::uint16_t value);
    NetlinkMessage& put_u32(int type, std::uint32_t value);
    NetlinkMessage& put_text(int type, std::string_view value); // with the closing NUL
    NetlinkMessage& put_address(int type, const IpAddress& address);
    NetlinkMessage& begin_nest(int type);
    NetlinkMessage& end_nest();

    // nullptr when something did not fit (a programming error: our messages are small).
    [[nodiscard]] nlmsghdr* header();

  private:
    NetlinkMessage(int type, int flags, const void* header, std::size_t size);
    void put(int type, const void* data, std::size_t size);

    struct Deleter {
        void operator()(nl_msg* message) const;
    };
    std::unique_ptr<nl_msg, Deleter> message_;
    std::vector<nlattr*> nests_;
    bool failed_ = false;
};

// Looks attributes up by type. An attribute that is shorter than its type reads as absent.
class NetlinkAttributes {
  public:
    NetlinkAttributes(const nlattr* first, int length);
    // The attributes behind a fixed header of `header_size` bytes.
    static NetlinkAttributes of(const nlmsghdr* message, std::size_t header_size);

    [[nodiscard]] bool has(int type) const { return find(type) != nullptr; }
    [[nodiscard]] std::optional<std::uint8_t> u8(int type) const;
    [[nodiscard]] std::optional<std::uint32_t> u32(int type) const;
    [[nodiscard]] std::string text(int type) const; // "" when absent
    [[nodiscard]] std::optional<IpAddress> address(int type) const;
    [[nodiscard]] NetlinkAttributes nested(int type) const; // empty when absent
    [[nodiscard]] ByteView bytes(int type) const;           // empty when absent

  private:
    [[nodiscard]] const nlattr* find(int type) const;
    const nlattr* first_;
    int length_;
};

// The fixed header of a received message, or nullptr if the message is shorter than that.
template <class Header>
const Header* fixed_header(const nlmsghdr* message) {
    if (message->nlmsg_len < sizeof(nlmsghdr) + sizeof(Header)) return nullptr;
    return static_cast<const Header*>(static_cast<const void*>(message + 1));
}

} // namespace wgd::sys
