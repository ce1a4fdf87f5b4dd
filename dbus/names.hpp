// SPDX-License-Identifier: MIT
// Every name of the bus contract, in one place, for the daemon and for its clients. What they mean is written
// in the XML beside this file. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/model/names.hpp"

namespace wgd::dbus {

inline constexpr char kBusName[] = "org.wgd1";
inline constexpr char kRootPath[] = "/org/wgd1";
inline constexpr char kTunnelPathPrefix[] = "/org/wgd1/tunnel";

inline constexpr char kManagerInterface[] = "org.wgd1.Manager";
inline constexpr char kTunnelInterface[] = "org.wgd1.Tunnel";
inline constexpr char kPeerInterface[] = "org.wgd1.Peer";

// Names the bus itself defines (D-Bus specification).
inline constexpr char kDriverName[] = "org.freedesktop.DBus";
inline constexpr char kDriverPath[] = "/org/freedesktop/DBus";
inline constexpr char kDriverInterface[] = "org.freedesktop.DBus";
inline constexpr char kAccessDenied[] = "org.freedesktop.DBus.Error.AccessDenied";
inline constexpr char kLimitsExceeded[] = "org.freedesktop.DBus.Error.LimitsExceeded";
inline constexpr char kServiceUnknown[] = "org.freedesktop.DBus.Error.ServiceUnknown";

// Peers above this number get no object of their own, so that GetManagedObjects, which anybody may call,
// stays cheap.
inline constexpr std::size_t kMaxPeerObjects = 64;
// Bounds of one GetPeers reply; dbus-daemon disconnects a service whose message exceeds 32 MiB.
inline constexpr std::size_t kMaxPeersPerReply = 4096;
inline constexpr std::size_t kMaxReplyBytes = 8u << 20;

// "/org/wgd1/tunnel/home"; characters a path may not hold are escaped as sd_bus_path_encode(3) does ("a-b":
// a_2db).
std::string tunnel_path(const ProfileName& name);
// The inverse; nullopt for any other path, the paths of peers included.
std::optional<ProfileName> tunnel_of_path(std::string_view path);
// "/org/wgd1/tunnel/home/peer/3"
std::string peer_path(const ProfileName& name, std::size_t number);

// "org.wgd1.Error.NotFound": exactly one name per code.
const char* error_name(ErrorCode code);
// The inverse, and what the bus itself says: AccessDenied is kNotAuthorized, NoReply kTimeout, ServiceUnknown
// kNotFound. nullopt for a name that is none of these.
std::optional<ErrorCode> error_code(std::string_view name);

} // namespace wgd::dbus
