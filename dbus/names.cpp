// SPDX-License-Identifier: MIT
#include "dbus/names.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <systemd/sd-bus.h>

namespace wgd::dbus {
namespace {

struct Freed {
    void operator()(char* text) const { std::free(text); }
};
using CString = std::unique_ptr<char, Freed>;

struct ErrorEntry {
    ErrorCode code;
    const char* name;
};

constexpr std::array kErrors{
    ErrorEntry{ErrorCode::kInvalidArgument, "org.wgd1.Error.InvalidArgument"},
    ErrorEntry{ErrorCode::kInvalidName, "org.wgd1.Error.InvalidName"},
    ErrorEntry{ErrorCode::kParse, "org.wgd1.Error.Parse"},
    ErrorEntry{ErrorCode::kNotFound, "org.wgd1.Error.NotFound"},
    ErrorEntry{ErrorCode::kUnsafeFile, "org.wgd1.Error.UnsafeFile"},
    ErrorEntry{ErrorCode::kNotAuthorized, "org.wgd1.Error.NotAuthorized"},
    ErrorEntry{ErrorCode::kConflict, "org.wgd1.Error.Conflict"},
    ErrorEntry{ErrorCode::kBusy, "org.wgd1.Error.Busy"},
    ErrorEntry{ErrorCode::kUnsupported, "org.wgd1.Error.Unsupported"},
    ErrorEntry{ErrorCode::kKernel, "org.wgd1.Error.Kernel"},
    ErrorEntry{ErrorCode::kIo, "org.wgd1.Error.Io"},
    ErrorEntry{ErrorCode::kProtocol, "org.wgd1.Error.Protocol"},
    ErrorEntry{ErrorCode::kTimeout, "org.wgd1.Error.Timeout"},
    ErrorEntry{ErrorCode::kResolve, "org.wgd1.Error.Resolve"},
    ErrorEntry{ErrorCode::kBackend, "org.wgd1.Error.Backend"},
    ErrorEntry{ErrorCode::kCancelled, "org.wgd1.Error.Cancelled"},
    ErrorEntry{ErrorCode::kRollback, "org.wgd1.Error.Rollback"},
    ErrorEntry{ErrorCode::kInternal, "org.wgd1.Error.Internal"},
};

// What the bus or libsystemd says in place of the daemon.
constexpr std::array kForeignErrors{
    ErrorEntry{ErrorCode::kNotAuthorized, kAccessDenied},
    ErrorEntry{ErrorCode::kNotFound, kServiceUnknown},
    ErrorEntry{ErrorCode::kNotFound, "org.freedesktop.DBus.Error.UnknownObject"},
    ErrorEntry{ErrorCode::kInvalidArgument, "org.freedesktop.DBus.Error.InvalidArgs"},
    ErrorEntry{ErrorCode::kUnsupported, "org.freedesktop.DBus.Error.UnknownMethod"},
    ErrorEntry{ErrorCode::kTimeout, "org.freedesktop.DBus.Error.NoReply"},
    ErrorEntry{ErrorCode::kTimeout, "org.freedesktop.DBus.Error.Timeout"},
    ErrorEntry{ErrorCode::kBusy, kLimitsExceeded},
};

} // namespace

std::string tunnel_path(const ProfileName& name) {
    char* encoded = nullptr;
    if (sd_bus_path_encode(kTunnelPathPrefix, name.str().c_str(), &encoded) < 0)
        throw std::bad_alloc(); // the prefix is a valid path: memory is all that can fail
    return CString(encoded).get();
}

std::optional<ProfileName> tunnel_of_path(std::string_view path) {
    char* decoded = nullptr;
    if (sd_bus_path_decode(std::string(path).c_str(), kTunnelPathPrefix, &decoded) <= 0) return std::nullopt;
    auto name = ProfileName::parse(CString(decoded).get());
    // Decoding is lenient: only the form that tunnel_path() writes names a tunnel.
    if (!name || tunnel_path(*name) != path) return std::nullopt;
    return *std::move(name);
}

std::string peer_path(const ProfileName& name, std::size_t number) {
    return tunnel_path(name) + "/peer/" + std::to_string(number);
}

const char* error_name(ErrorCode code) {
    for (const auto& entry : kErrors)
        if (entry.code == code) return entry.name;
    return "org.wgd1.Error.Internal";
}

std::optional<ErrorCode> error_code(std::string_view name) {
    for (const auto& entry : kErrors)
        if (entry.name == name) return entry.code;
    for (const auto& entry : kForeignErrors)
        if (entry.name == name) return entry.code;
    return std::nullopt;
}

} // namespace wgd::dbus
