// SPDX-License-Identifier: MIT
#include "common/wgapi/netlink_client.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>

#include "common/model/limits.hpp"
#include "common/wgapi/netlink_attributes.hpp"
#include "common/wgapi/netlink_codec.hpp"

namespace wgd {
namespace {

constexpr int kDumpAttempts = 10; // a dump that a change disturbs is asked for again
constexpr std::size_t kGenericHeader = GENL_HDRLEN;

SecretBytes with_generic_header(std::uint8_t command, std::uint8_t version, ByteView attributes) {
    genlmsghdr header{};
    header.cmd = command;
    header.version = version;
    SecretBytes out(kGenericHeader + attributes.size());
    std::memcpy(out.data(), &header, sizeof header);
    std::copy(attributes.begin(), attributes.end(), out.begin() + kGenericHeader);
    return out;
}

// The kernel's errno in words of wg(8)'s users, with the code that callers act on.
Error explain(Error error, std::string_view device) {
    const auto say = [&](ErrorCode code, std::string_view why) {
        return Error{code, fmt::format("{}: {}", device, why), error.sys_errno};
    };
    if (error.code != ErrorCode::kKernel) return error;
    switch (error.sys_errno) {
    case ENODEV:
        return say(ErrorCode::kNotFound, "no such device");
    case EOPNOTSUPP:
        return say(ErrorCode::kUnsupported, "not a WireGuard device, or a change this kernel does not know");
    case EPERM:
    case EACCES:
        return say(ErrorCode::kNotAuthorized, "not permitted");
    default:
        return std::move(error).with_context(device);
    }
}

Result<void> check_name(std::string_view name) {
    if (name.empty() || name.size() > kMaxInterfaceName || name.find('\0') != std::string_view::npos)
        return fail(ErrorCode::kInvalidName, "an interface name has 1 to 15 characters");
    return {};
}

// The name of a link in an RTM_NEWLINK message, if it is of kind "wireguard"; else "".
std::string wireguard_name(ByteView message) {
    constexpr std::size_t kLinkHeader = NLMSG_ALIGN(sizeof(ifinfomsg));
    if (message.size() < kLinkHeader) return {};
    std::string name;
    bool is_wireguard = false;
    wgnl::AttributeReader reader(message.subspan(kLinkHeader));
    for (wgnl::Attribute each; reader.next(each);) {
        if (each.type == IFLA_IFNAME) name = std::string(each.as_string());
        if (each.type != IFLA_LINKINFO) continue;
        wgnl::AttributeReader info(each.value);
        for (wgnl::Attribute part; info.next(part);)
            if (part.type == IFLA_INFO_KIND) is_wireguard = part.as_string() == WG_GENL_NAME;
    }
    return is_wireguard ? name : std::string{};
}

} // namespace

Result<NetlinkClient> NetlinkClient::open() {
    auto generic = wgnl::NetlinkSocket::open(NETLINK_GENERIC);
    WGD_TRY(generic);
    auto route = wgnl::NetlinkSocket::open(NETLINK_ROUTE);
    WGD_TRY(route);
    return NetlinkClient(std::move(*generic), std::move(*route));
}

Result<std::uint16_t> NetlinkClient::family() {
    if (family_ != 0) return family_;
    wgnl::AttributeWriter name;
    name.put_string(CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
    const auto question = with_generic_header(CTRL_CMD_GETFAMILY, 1, std::move(name).take());
    auto asked = generic_.request(GENL_ID_CTRL, NLM_F_ACK, question, [&](ByteView answer) -> Result<void> {
        if (answer.size() < kGenericHeader)
            return fail(ErrorCode::kProtocol, "a generic netlink answer is too short");
        wgnl::AttributeReader reader(answer.subspan(kGenericHeader));
        for (wgnl::Attribute each; reader.next(each);)
            if (each.type == CTRL_ATTR_FAMILY_ID) family_ = each.as<std::uint16_t>().value_or(0);
        return {};
    });
    if (!asked && asked.error().sys_errno == ENOENT)
        return fail(Error{ErrorCode::kUnsupported, "this kernel has no WireGuard", EPROTONOSUPPORT});
    WGD_TRY(asked);
    if (family_ == 0)
        return fail(ErrorCode::kProtocol, "the kernel names no number for the WireGuard family");
    return family_;
}

Result<void> NetlinkClient::command(std::uint8_t command, std::uint16_t flags, ByteView attributes,
                                    const std::function<Result<void>(ByteView)>& on_message) {
    const auto id = family();
    WGD_TRY(id);
    const auto message = with_generic_header(command, WG_GENL_VERSION, attributes);
    auto done = generic_.request(*id, flags, message, [&](ByteView answer) -> Result<void> {
        if (answer.size() < kGenericHeader)
            return fail(ErrorCode::kProtocol, "a generic netlink answer is too short");
        return on_message ? on_message(answer.subspan(kGenericHeader)) : Result<void>{};
    });
    if (!done && done.error().sys_errno == ENOENT)
        family_ = 0; // the module was unloaded; it may come back with another number
    return done;
}

Result<WgDevice> NetlinkClient::get(std::string_view name) {
    WGD_TRY(check_name(name));
    const auto question = wgnl::encode_get(name);
    for (int attempt = 1;; ++attempt) {
        wgnl::DeviceDump dump;
        auto done = command(WG_CMD_GET_DEVICE, NLM_F_DUMP, question,
                            [&](ByteView attributes) { return dump.add(attributes); });
        if (done) {
            auto device = std::move(dump).finish();
            device.name = std::string(name);
            return device;
        }
        if (done.error().sys_errno != EINTR || attempt == kDumpAttempts)
            return fail(explain(std::move(done).error(), name));
    }
}

Result<void> NetlinkClient::set(std::string_view name, const DeviceDelta& delta) {
    WGD_TRY(check_name(name));
    for (const auto& message : wgnl::encode_set(name, delta)) {
        auto done = command(WG_CMD_SET_DEVICE, NLM_F_ACK, message);
        if (!done) return fail(explain(std::move(done).error(), name));
    }
    return {};
}

Result<std::vector<std::string>> NetlinkClient::list() {
    std::vector<std::uint8_t> question(NLMSG_ALIGN(sizeof(ifinfomsg))); // AF_UNSPEC: all links
    for (int attempt = 1;; ++attempt) {
        std::vector<std::string> names;
        auto done = route_.request(RTM_GETLINK, NLM_F_DUMP, question, [&](ByteView link) -> Result<void> {
            if (auto name = wireguard_name(link); !name.empty()) names.push_back(std::move(name));
            return {};
        });
        if (done) return names;
        if (done.error().sys_errno != EINTR || attempt == kDumpAttempts) return fail(std::move(done).error());
    }
}

} // namespace wgd
