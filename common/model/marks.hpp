// SPDX-License-Identifier: MIT
// The marks by which we know our own objects again. Anything without one is not ours and is never touched
// (DESIGN idea 4). Changing a value orphans what a running older daemon made: needs a decision record.
#pragma once

#include <cstdint>
#include <string_view>

namespace wgd {

inline constexpr std::uint8_t kRouteProtocol = 0xc7;         // rtm_protocol, "199" in `ip route`
inline constexpr std::uint8_t kRuleProtocol = 0xc7;          // FRA_PROTOCOL
inline constexpr std::string_view kLinkAliasPrefix = "wgd:"; // IFLA_IFALIAS = "wgd:" + profile name
inline constexpr std::uint32_t kUnfinishedLinkGroup =
    0x776764; // IFLA_GROUP between a link's creation and its alias
inline constexpr std::string_view kNftTablePrefix = "wgd-"; // inet table "wgd-" + interface
inline constexpr std::uint32_t kFirstAutoMark = 51820;      // first fwmark == table tried, as wg-quick
inline constexpr std::uint32_t kLastAutoMark = 51820 + 4095;

} // namespace wgd
