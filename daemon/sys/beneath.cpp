// SPDX-License-Identifier: MIT
#include "daemon/sys/beneath.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/secret_text.hpp"

namespace wgd::sys {

Fd open_beneath(int directory, const std::string& path, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW));
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    long fd = -1;
    do { // EAGAIN: a rename raced with the walk, and the kernel could not prove that it stayed beneath
        fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    return Fd(static_cast<int>(fd));
}

Result<Fd> open_directory(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (fd) return fd;
    const int err = errno;
    if (err == ENOENT) return fail(Error{ErrorCode::kNotFound, "there is no directory " + path, err});
    if (err == ELOOP || err == ENOTDIR)
        return fail(Error{ErrorCode::kUnsafeFile,
                          path + " is not a directory (a symbolic link is not followed)", err});
    return fail_errno(ErrorCode::kIo, err, "cannot open directory " + path);
}

template <class Text>
Result<Text> read_to_end(int fd, std::size_t limit, const std::string& path) {
    Text text;
    constexpr std::size_t kChunk = 65536;
    for (;;) {
        const std::size_t had = text.size();
        text.resize(had + kChunk);
        const ssize_t got = ::read(fd, text.data() + had, kChunk);
        const int err = errno;
        text.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
        if (got < 0 && err == EINTR) continue;
        if (got < 0) return fail_errno(ErrorCode::kIo, err, "cannot read " + path);
        if (got == 0) return text;
        if (text.size() > limit)
            return fail(ErrorCode::kUnsafeFile, fmt::format("{} is larger than {} bytes", path, limit));
    }
}
template Result<std::string> read_to_end(int, std::size_t, const std::string&);
template Result<SecretText> read_to_end(int, std::size_t, const std::string&);

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno(ErrorCode::kIo, errno, "cannot write " + path);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace wgd::sys
