// SPDX-License-Identifier: MIT
#include "common/wgapi/uapi_client.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fmt/format.h>
#include <memory>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/model/limits.hpp"
#include "common/wgapi/uapi_codec.hpp"

namespace wgd {
namespace {

constexpr std::string_view kSuffix = ".sock";

std::uint32_t scope_index(std::string_view name) {
    return ::if_nametoindex(std::string(name).c_str());
}

// A connected stream, or the reason why not. Connecting to a Unix socket does not wait unless its queue is
// full, and then EAGAIN says so.
Result<Fd> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorCode::kInvalidName, "a socket's path is too long");
    std::copy(path.begin(), path.end(), address.sun_path);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "opening a socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int err = errno;
    const auto what = fmt::format("connecting to {}", path);
    switch (err) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED: // the file is there, its owner is gone
        return fail(Error{ErrorCode::kNotFound, what + ": no datapath serves it", ENODEV});
    case EACCES:
    case EPERM:
        return fail_errno(ErrorCode::kNotAuthorized, err, what);
    case EAGAIN:
        return fail_errno(ErrorCode::kBusy, err, what);
    default:
        return fail_errno(ErrorCode::kIo, err, what);
    }
}

} // namespace

Result<UapiExchange> UapiExchange::start(const std::string& socket_path, SecretText request) {
    auto fd = connect_to(socket_path);
    WGD_TRY(fd);
    return UapiExchange(std::move(*fd), std::move(request));
}

short UapiExchange::events() const {
    return sent_ < request_.size() ? POLLOUT : POLLIN;
}

Result<std::optional<SecretText>> UapiExchange::advance() {
    while (sent_ < request_.size()) {
        const auto wrote = ::send(fd_.get(), request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL);
        if (wrote >= 0) {
            sent_ += static_cast<std::size_t>(wrote);
        } else if (errno == EAGAIN) {
            return std::optional<SecretText>{};
        } else if (errno == EPIPE || errno == ECONNRESET) {
            break; // it answered before it read everything, or died: reading will tell
        } else if (errno != EINTR) {
            return fail_errno(ErrorCode::kIo, errno, "sending to a datapath");
        }
    }
    sent_ = request_.size();
    while (true) {
        constexpr std::size_t kChunk = 16u << 10;
        const auto have = reply_.size();
        if (have > uapi::kMaxMessage) return fail(ErrorCode::kProtocol, "a datapath's reply does not end");
        reply_.resize(have + kChunk);
        const auto got = ::recv(fd_.get(), reply_.data() + have, kChunk, 0);
        const int err = errno;
        reply_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0 || (got < 0 && err == ECONNRESET))
            return fail(ErrorCode::kProtocol, "a datapath closed its socket in the middle of a reply");
        if (got < 0) {
            if (err == EINTR) continue;
            if (err == EAGAIN) return std::optional<SecretText>{};
            return fail_errno(ErrorCode::kIo, err, "reading from a datapath");
        }
        if (const auto end = uapi::message_end(reply_, scanned_)) {
            reply_.resize(*end);
            return std::optional<SecretText>(std::move(reply_));
        }
    }
}

Result<std::string> UapiClient::socket_path(std::string_view name) const {
    const bool good = !name.empty() && name.size() <= kMaxInterfaceName && name != "." && name != ".." &&
                      name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
    if (!good) return fail(ErrorCode::kInvalidName, "an interface name has 1 to 15 characters and no '/'");
    auto path = fmt::format("{}/{}{}", options_.directory, name, kSuffix);
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return fail(ErrorCode::kInvalidName, "a socket's path is too long");
    return path;
}

bool UapiClient::serves(std::string_view name) const {
    const auto path = socket_path(name);
    return path && connect_to(*path).has_value();
}

Result<SecretText> UapiClient::exchange(std::string_view name, SecretText request) {
    const auto path = socket_path(name);
    WGD_TRY(path);
    auto exchange = UapiExchange::start(*path, std::move(request));
    WGD_TRY(exchange);
    // A device of ten thousand peers is megabytes, which take their time on a busy machine: it is silence
    // that runs out of it. Whoever answers byte by byte holds us up kPatience times as long at most.
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto last = now() + kPatience * options_.timeout;
    auto deadline = now() + options_.timeout;
    std::size_t moved = 0;
    while (true) {
        auto reply = exchange->advance();
        WGD_TRY(reply);
        if (*reply) return std::move(**reply);
        if (exchange->moved() != moved) {
            moved = exchange->moved();
            deadline = std::min(now() + options_.timeout, last);
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
        pollfd waiting{exchange->fd(), exchange->events(), 0};
        const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
        if (ready == 0)
            return fail(ErrorCode::kTimeout, fmt::format("the datapath of {} did not answer in time", name));
        if (ready < 0 && errno != EINTR) return fail_errno(ErrorCode::kIo, errno, "waiting for a datapath");
    }
}

Result<WgDevice> UapiClient::get(std::string_view name) {
    const auto reply = exchange(name, uapi::encode_get_request());
    WGD_TRY(reply);
    auto device = uapi::parse_get_reply(*reply, scope_index);
    WGD_TRY(device);
    device->name = std::string(name);
    return device;
}

Result<void> UapiClient::set(std::string_view name, const DeviceDelta& delta) {
    const auto reply = exchange(name, uapi::encode_set_request(delta));
    WGD_TRY(reply);
    return uapi::parse_set_reply(*reply);
}

Result<std::vector<std::string>> UapiClient::list() {
    struct Close {
        void operator()(DIR* dir) const { ::closedir(dir); }
    };
    const std::unique_ptr<DIR, Close> dir(::opendir(options_.directory.c_str()));
    std::vector<std::string> names;
    if (!dir) {
        if (errno == ENOENT) return names;
        return fail_errno(ErrorCode::kIo, errno, fmt::format("reading {}", options_.directory));
    }
    while (const auto* entry = ::readdir(dir.get())) {
        const std::string_view file(entry->d_name);
        if (file.size() <= kSuffix.size() || file.substr(file.size() - kSuffix.size()) != kSuffix) continue;
        const auto name = file.substr(0, file.size() - kSuffix.size());
        if (serves(name)) names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace wgd
