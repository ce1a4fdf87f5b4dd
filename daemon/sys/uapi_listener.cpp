// SPDX-License-Identifier: MIT
#include "daemon/sys/uapi_listener.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/loop/pidfd.hpp"

namespace wgd::sys {
namespace {

Result<pid_t> listening_pid(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorCode::kInvalidArgument, "socket path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open a socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int err = errno;
        if (err == ENOENT || err == ECONNREFUSED)
            return fail(Error{ErrorCode::kNotFound, "nobody listens on " + path, err});
        return fail_errno(ErrorCode::kIo, err, "cannot connect to " + path);
    }
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot see who listens on " + path);
    if (peer.pid <= 0) return fail(ErrorCode::kBackend, path + " is served from another PID namespace");
    return peer.pid;
}

} // namespace

Result<UapiListener> find_uapi_listener(const std::string& socket_path) {
    auto pid = listening_pid(socket_path);
    if (!pid) return fail(std::move(pid).error());
    UapiListener listener{*pid, loop::open_pidfd(*pid)};
    if (!listener.pidfd) {
        if (errno == ESRCH)
            return fail(ErrorCode::kNotFound, "the process that listened on " + socket_path + " is gone");
        return fail_errno(ErrorCode::kIo, errno, "cannot watch process " + std::to_string(*pid));
    }
    // The number may have been given to another process between the two calls; if the socket is still served
    // under this number, it had not ended when the pidfd was opened.
    auto again = listening_pid(socket_path);
    if (!again) return fail(std::move(again).error());
    if (*again != *pid)
        return fail(ErrorCode::kNotFound, "the process that listens on " + socket_path + " changed");
    return listener;
}

} // namespace wgd::sys
