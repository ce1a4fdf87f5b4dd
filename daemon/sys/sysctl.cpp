// SPDX-License-Identifier: MIT
#include "daemon/sys/sysctl.hpp"

#include <cerrno>
#include <fcntl.h>

#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kMaxValue = 65536;

Result<Fd> open_sysctl(const std::string& key, int flags) {
    // open_beneath() keeps the walk under /proc/sys; this only gives nonsense a better name than "no such
    // file".
    if (key.empty() || key.front() == '/' || key.find('\0') != std::string::npos ||
        ("/" + key + "/").find("/../") != std::string::npos)
        return fail(ErrorCode::kInvalidArgument, "'" + key + "' is not a sysctl key");
    auto root = open_directory("/proc/sys");
    if (!root) return root;
    Fd fd = open_beneath(root->get(), key, flags);
    if (fd) return fd;
    const int err = errno;
    if (err == ENOENT || err == ENOTDIR || err == EISDIR)
        return fail(Error{ErrorCode::kNotFound, "there is no sysctl " + key, err});
    return fail_errno(err == EACCES || err == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kIo, err,
                      "cannot open sysctl " + key);
}

} // namespace

Result<std::string> read_sysctl(const std::string& key) {
    auto fd = open_sysctl(key, O_RDONLY);
    if (!fd) return fail(std::move(fd).error());
    auto text = read_to_end<std::string>(fd->get(), kMaxValue, "sysctl " + key);
    if (text && !text->empty() && text->back() == '\n') text->pop_back();
    return text;
}

Result<void> write_sysctl(const std::string& key, const std::string& value) {
    // A container often has /proc/sys read-only with the right value in it already.
    if (auto now = read_sysctl(key); now && *now == value) return {};
    auto fd = open_sysctl(key, O_WRONLY);
    if (!fd) return fail(std::move(fd).error());
    auto written = write_all(fd->get(), value + "\n", "sysctl " + key);
    if (written) return written;
    Error error = std::move(written).error();
    error.code = ErrorCode::kKernel;
    return fail(std::move(error));
}

bool sysctl_read_only(const std::string& key) {
    const auto fd = open_sysctl(key, O_WRONLY);
    return !fd && fd.error().sys_errno == EROFS;
}

bool ipv6_available() {
    const auto enabled = [](const char* key) {
        const auto value = read_sysctl(key);
        return value && *value == "0";
    };
    return enabled("net/ipv6/conf/all/disable_ipv6") && enabled("net/ipv6/conf/default/disable_ipv6");
}

} // namespace wgd::sys
