// SPDX-License-Identifier: MIT
// A profile's text brought in line with a tunnel that runs, as `wg-quick save` does (compat.md C7), but
// losing nothing (D5): a line changes only where the running value is another one, and all the rest stays as
// written.
//
//   PrivateKey    the device's; where the profile has hooks and no key, a hook sets it and it stays out
//   ListenPort    the device's, where the profile has one: else it is the kernel's choice of today
//   FwMark        the device's, unless it is the tunnel's own automatic one
//   Address, MTU  the link's; MTU where the profile has one
//   [Peer]        added and removed; PresharedKey, PersistentKeepalive and AllowedIPs where they differ
//   Endpoint      a name stays a name, however it resolves and wherever the peer roams; an address follows
//   the
//                 peer; a peer without one in the profile is one that comes to us, and gets none
//   DNS, Table, hooks, comments, order   as written
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/secret_text.hpp"
#include "common/config/profile.hpp"
#include "common/model/device.hpp"

namespace wgd {

struct RunningTunnel {
    const WgDevice& device;
    std::vector<IpPrefix> addresses;             // without the kernel's own fe80::
    std::uint32_t mtu = 0;                       // 0: not known
    std::optional<std::uint32_t> automatic_mark; // the mark that nobody asked for by a number
    bool ipv6 = true;                            // IPv6 addresses could be set
};

struct SavedProfile {
    SecretText text;
    std::vector<std::string> changes; // one sentence each, no secret in it; empty: the text is as it was
};

// `profile` is what `text` parses to. Pure. Errors are those of common/config/editor.
Result<SavedProfile> save_profile(std::string_view text, const Profile& profile,
                                  const RunningTunnel& running);

} // namespace wgd
