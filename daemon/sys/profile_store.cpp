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

// The new text is written beside the old one, on the same file system, and takes its place by rename(2).
Result<void> DirectoryProfileStore::replace(const ports::StoredProfile& before, const SecretText& text) {
    auto now = read(before.name); // with all its checks
    if (!now) return fail(std::move(now).error());
    if (now->text != before.text)
        return fail(ErrorCode::kConflict,
                    before.path + " was changed by somebody meanwhile; it is left alone");
    auto directory = open_checked_directory();
    if (!directory) return fail(std::move(directory).error());
    const std::string file = before.name.str() + std::string(kSuffix);
    // No profile's name: it begins with a dot and does not end in ".conf".
    const std::string temporary = "." + file + ".wgd";
    struct stat status {};
    if (::fstatat(directory->get(), file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot examine " + before.path);
    // Left by a crash; ours by its name, and in a directory that is root's.
    static_cast<void>(::unlinkat(directory->get(), temporary.c_str(), 0));
    const std::string what = options_.directory + "/" + temporary;
    Fd fd = open_beneath(directory->get(), temporary, O_WRONLY | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot create " + what);
    const auto written = [&]() -> Result<void> {
        WGD_TRY(write_all(fd.get(), text, what));
        struct stat made {};
        // Giving a file away needs a right that the unit does not have; mostly there is nothing to give away.
        if (::fstat(fd.get(), &made) != 0 ||
            ((made.st_uid != status.st_uid || made.st_gid != status.st_gid) &&
             ::fchown(fd.get(), status.st_uid, status.st_gid) != 0) ||
            ::fchmod(fd.get(), status.st_mode & ALLPERMS) != 0)
            return fail_errno(ErrorCode::kIo, errno,
                              "cannot give " + what + " the owner and mode of the profile");
        if (::fsync(fd.get()) != 0) return fail_errno(ErrorCode::kIo, errno, "cannot write " + what);
        if (::renameat(directory->get(), temporary.c_str(), directory->get(), file.c_str()) != 0)
            return fail_errno(ErrorCode::kIo, errno, "cannot replace " + before.path);
        return {};
    }();
    if (!written) {
        static_cast<void>(::unlinkat(directory->get(), temporary.c_str(), 0));
        return written;
    }
    if (::fsync(directory->get()) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot write " + options_.directory);
    return {};
}

} // namespace wgd::sys
