// SPDX-License-Identifier: MIT
#include "daemon/sys/profile_store.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

constexpr std::string_view kSuffix = ".conf";
constexpr uid_t kRoot = 0;

Failure unsafe(std::string message) {
    return fail(ErrorCode::kUnsafeFile, std::move(message));
}

// The sentences say what is wrong, why it matters where that is not plain, and what to type.
Result<void> check_directory(const struct stat& status, const std::string& path) {
    if (status.st_uid != kRoot)
        return unsafe(fmt::format("{} belongs to user {}, not to root: run `chown root: {}`", path,
                                  status.st_uid, path));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return unsafe(fmt::format("{} can be written by others than root: run `chmod go-w {}`", path, path));
    return {};
}

Result<void> check_file(const struct stat& status, const std::string& path, std::size_t max_bytes) {
    if (!S_ISREG(status.st_mode)) return unsafe(path + " is not a regular file");
    if (status.st_uid != kRoot)
        return unsafe(fmt::format("{} belongs to user {}, not to root: run `chown root: {}`", path,
                                  status.st_uid, path));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return unsafe(fmt::format("{} can be written by others than root: run `chmod 600 {}`", path, path));
    if ((status.st_mode & S_IROTH) != 0)
        return unsafe(
            fmt::format("{} holds keys and can be read by everybody: run `chmod 600 {}`", path, path));
    if (status.st_nlink != 1)
        return unsafe(
            fmt::format("{} has {} names (hard links); with another name it could be changed from elsewhere: "
                        "replace it by a copy, `cp {} {}.new && mv {}.new {}`",
                        path, status.st_nlink, path, path, path, path));
    if (static_cast<std::size_t>(status.st_size) > max_bytes)
        return unsafe(
            fmt::format("{} has {} bytes; a profile has at most {}", path, status.st_size, max_bytes));
    return {};
}

struct DirDeleter {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

} // namespace

Result<Fd> DirectoryProfileStore::open_checked_directory() const {
    auto directory = open_directory(options_.directory);
    if (!directory) return directory;
    struct stat status {};
    if (::fstat(directory->get(), &status) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot examine " + options_.directory);
    if (auto safe = check_directory(status, options_.directory); !safe) return fail(std::move(safe).error());
    return directory;
}

Result<std::vector<ProfileName>> DirectoryProfileStore::list() {
    auto directory = open_checked_directory();
    if (!directory) {
        if (directory.error().code == ErrorCode::kNotFound) return std::vector<ProfileName>();
        return fail(std::move(directory).error());
    }
    const std::unique_ptr<DIR, DirDeleter> stream(::fdopendir(directory->get()));
    if (!stream) return fail_errno(ErrorCode::kIo, errno, "cannot list " + options_.directory);
    static_cast<void>(directory->release()); // the stream owns it now
    std::vector<ProfileName> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view file = entry->d_name;
        if (file.size() <= kSuffix.size() || file.substr(file.size() - kSuffix.size()) != kSuffix) continue;
        if (auto name = ProfileName::parse(file.substr(0, file.size() - kSuffix.size())))
            names.push_back(std::move(*name));
        errno = 0;
    }
    if (errno != 0) return fail_errno(ErrorCode::kIo, errno, "cannot list " + options_.directory);
    std::sort(names.begin(), names.end());
    return names;
}

Result<ports::StoredProfile> DirectoryProfileStore::read(const ProfileName& name) {
    const std::string file = name.str() + std::string(kSuffix);
    const std::string path = options_.directory + "/" + file;
    auto directory = open_checked_directory();
    if (!directory && directory.error().code != ErrorCode::kNotFound)
        return fail(std::move(directory).error());
    // O_NONBLOCK: opening a FIFO must not wait for somebody to write into it.
    Fd fd = directory ? open_beneath(directory->get(), file, O_RDONLY | O_NONBLOCK | O_NOCTTY) : Fd();
    if (!fd) {
        const int err = directory ? errno : ENOENT;
        if (err == ENOENT)
            return fail(Error{ErrorCode::kNotFound,
                              fmt::format("there is no profile named '{}' ({})", name.str(), path), err});
        if (err == ELOOP)
            return unsafe(path + " is a symbolic link, which is not followed: put the file itself there");
        if (err == ENXIO) return unsafe(path + " is not a regular file"); // a socket
        return fail_errno(ErrorCode::kIo, err, "cannot open " + path);
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(ErrorCode::kIo, errno, "cannot examine " + path);
    if (auto safe = check_file(status, path, options_.max_bytes); !safe) return fail(std::move(safe).error());
    auto text = read_to_end<SecretText>(fd.get(), options_.max_bytes, path); // it may have grown meanwhile
    if (!text) return fail(std::move(text).error());
    ports::StoredProfile profile{name, path, std::move(*text), {}};
    if ((status.st_mode & S_IRGRP) != 0)
        profile.warnings.push_back(
            fmt::format("{} holds keys and can be read by its group: run `chmod 600 {}`", path, path));
    return profile;
}

} // namespace wgd::sys
