// SPDX-License-Identifier: MIT
// Limits that several rooms must agree on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wgd {

inline constexpr std::size_t kMaxInterfaceName = 15;       // IFNAMSIZ - 1
inline constexpr std::size_t kMaxProfileBytes = 64u << 20; // larger files are refused, not truncated
inline constexpr std::size_t kMaxPeers = 65536;            // per device, as wireguard-go
inline constexpr unsigned kDefaultMtu = 1420;              // 1500 - 80 (WireGuard over IPv6 + UDP)
inline constexpr unsigned kTunnelOverhead = 80;            // 40 IPv6 + 8 UDP + 32 WireGuard
inline constexpr unsigned kMinMtu = 576;                   // wg-quick has none; the kernel's is 68
inline constexpr unsigned kMinIpv6Mtu = 1280;              // RFC 8200 section 5
inline constexpr unsigned kMaxMtu = 65535 - kTunnelOverhead;

} // namespace wgd
