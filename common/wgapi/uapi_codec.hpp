// SPDX-License-Identifier: MIT
// The cross-platform UAPI's text, both ends: requests and replies as pure functions of values.
// Source: wireguard.com/xplatform. All of these texts hold keys.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <variant>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/model/device.hpp"

namespace wgd::uapi {

// The scope of an IPv6 endpoint may be an interface name ("[fe80::1%eth0]:51820", which is what wg(8) sends).
// Turning it into an index asks the system, so the caller does it: index, or 0 if there is no such interface.
// Without a look-up only numeric scopes are accepted.
using ScopeLookup = std::function<std::uint32_t(std::string_view name)>;

// --- client side ---
SecretText encode_get_request();                         // "get=1\n\n"
SecretText encode_set_request(const DeviceDelta& delta); // "set=1\n...\n\n"
// `reply` up to and including its empty line. A non-zero errno (of either sign: wireguard-go sends negative
// ones) becomes kBackend with sys_errno; text that is no reply is kProtocol. Unknown keys are ignored, since
// a newer datapath may say more. The name is not part of the reply: the caller sets WgDevice::name.
Result<WgDevice> parse_get_reply(std::string_view reply, const ScopeLookup& scopes = {});
Result<void> parse_set_reply(std::string_view reply);

// --- server side ---
struct GetRequest {};
struct SetRequest {
    DeviceDelta delta;
};
using Request = std::variant<GetRequest, SetRequest>;
// `request` up to and including its empty line. All or nothing: any error means that nothing is to be
// applied. Error::sys_errno is EINVAL (unknown key, bad value, a key out of place) or EPROTO (not a request,
// line without
// '='); answer it with encode_errno_reply(-sys_errno). The message names the line and key, never a value.
Result<Request> parse_request(std::string_view request, const ScopeLookup& scopes = {});
// The reply to get, "errno=0" and the empty line included.
SecretText encode_get_reply(const WgDevice& device);
SecretText encode_errno_reply(int code); // "errno=N\n\n"; 0 or negative, as wireguard-go

// Both sides: length of the first complete message in `buffer`, its empty line included; nullopt while more
// has to be read. `scanned` remembers what was looked at already (start with 0 for each message), so that
// feeding byte by byte stays linear.
std::optional<std::size_t> message_end(std::string_view buffer, std::size_t& scanned);

inline constexpr std::size_t kMaxMessage = 64u << 20; // give up on a longer one

} // namespace wgd::uapi
