// SPDX-License-Identifier: MIT
#include "daemon/sys/netlink_message.hpp"

#include <cstring>
#include <netlink/attr.h>
#include <netlink/msg.h>

namespace wgd::sys {

void NetlinkMessage::Deleter::operator()(nl_msg* message) const {
    nlmsg_free(message);
}

NetlinkMessage::NetlinkMessage(int type, int flags, const void* header, std::size_t size)
    : message_(nlmsg_alloc_simple(type, flags)) {
    if (!message_ || nlmsg_append(message_.get(), const_cast<void*>(header), size, NLMSG_ALIGNTO) < 0)
        failed_ = true;
}

void NetlinkMessage::put(int type, const void* data, std::size_t size) {
    if (!failed_ && nla_put(message_.get(), type, static_cast<int>(size), data) < 0) failed_ = true;
}

NetlinkMessage& NetlinkMessage::put_u8(int type, std::uint8_t value) {
    put(type, &value, sizeof value);
    return *this;
}
NetlinkMessage& NetlinkMessage::put_u16(int type, std::uint16_t value) {
    put(type, &value, sizeof value);
    return *this;
}
NetlinkMessage& NetlinkMessage::put_u32(int type, std::uint32_t value) {
    put(type, &value, sizeof value);
    return *this;
}
NetlinkMessage& NetlinkMessage::put_text(int type, std::string_view value) {
    const std::string text(value); // guarantees the NUL
    put(type, text.c_str(), text.size() + 1);
    return *this;
}
NetlinkMessage& NetlinkMessage::put_address(int type, const IpAddress& address) {
    put(type, address.bytes().data(), address.bytes().size());
    return *this;
}

NetlinkMessage& NetlinkMessage::begin_nest(int type) {
    if (failed_) return *this;
    nlattr* nest = nla_nest_start(message_.get(), type);
    if (nest == nullptr) failed_ = true;
    nests_.push_back(nest);
    return *this;
}
NetlinkMessage& NetlinkMessage::end_nest() {
    if (!failed_) nla_nest_end(message_.get(), nests_.back());
    if (!nests_.empty()) nests_.pop_back();
    return *this;
}

nlmsghdr* NetlinkMessage::header() {
    return failed_ ? nullptr : nlmsg_hdr(message_.get());
}

NetlinkAttributes::NetlinkAttributes(const nlattr* first, int length)
    : first_(first)
    , length_(length) {}

NetlinkAttributes NetlinkAttributes::of(const nlmsghdr* message, std::size_t header_size) {
    const int hdrlen = static_cast<int>(header_size);
    return {nlmsg_attrdata(message, hdrlen), nlmsg_attrlen(message, hdrlen)};
}

const nlattr* NetlinkAttributes::find(int type) const {
    return length_ > 0 ? nla_find(first_, length_, type) : nullptr;
}

ByteView NetlinkAttributes::bytes(int type) const {
    const nlattr* attribute = find(type);
    if (attribute == nullptr) return {};
    return {static_cast<const std::uint8_t*>(nla_data(attribute)),
            static_cast<std::size_t>(nla_len(attribute))};
}

std::optional<std::uint8_t> NetlinkAttributes::u8(int type) const {
    const ByteView view = bytes(type);
    if (view.empty()) return std::nullopt;
    return view[0];
}

std::optional<std::uint32_t> NetlinkAttributes::u32(int type) const {
    const ByteView view = bytes(type);
    std::uint32_t value = 0;
    if (view.size() < sizeof value) return std::nullopt;
    std::memcpy(&value, view.data(), sizeof value);
    return value;
}

std::string NetlinkAttributes::text(int type) const {
    const ByteView view = bytes(type);
    std::string text(view.begin(), view.end());
    text.resize(std::strlen(text.c_str())); // up to the NUL, if there is one
    return text;
}

std::optional<IpAddress> NetlinkAttributes::address(int type) const {
    return IpAddress::from_bytes(bytes(type));
}

NetlinkAttributes NetlinkAttributes::nested(int type) const {
    const nlattr* attribute = find(type);
    if (attribute == nullptr) return {nullptr, 0};
    return {static_cast<const nlattr*>(nla_data(attribute)), nla_len(attribute)};
}

} // namespace wgd::sys
