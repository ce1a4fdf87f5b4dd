// SPDX-License-Identifier: MIT
#include "daemon/sys/net_namespace.hpp"

#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <thread>
#include <unistd.h>

#include "common/base/log.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

constexpr long kNsfsMagic = 0x6e736673; // NSFS_MAGIC
constexpr std::size_t kMaxSmallFile = 65536;

bool is_namespace(int fd) {
    struct statfs info {};
    return ::fstatfs(fd, &info) == 0 && info.f_type == kNsfsMagic;
}

// What tells one namespace from all others while it lives.
std::string identity(const struct stat& info) {
    return fmt::format("{}:{}\n", info.st_dev, info.st_ino);
}

Result<void> make_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0) {
        (void)::chmod(path.c_str(), mode); // whatever our umask
        return {};
    }
    if (errno == EEXIST) return {};
    return fail_errno(ErrorCode::kIo, errno, "cannot make the directory " + path);
}

Result<void> write_file(const std::string& path, const std::string& text, mode_t mode) {
    const std::string temporary = path + ".wgd-new";
    Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file) return fail_errno(ErrorCode::kIo, errno, "cannot write " + temporary);
    (void)::fchmod(file.get(), mode); // whatever our umask
    auto written = write_all(file.get(), text, temporary);
    if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
        written = fail_errno(ErrorCode::kIo, errno, "cannot write " + path);
    if (!written) ::unlink(temporary.c_str());
    return written;
}

// "" if there is no such file.
Result<std::string> read_file(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::string();
    if (!file) return fail_errno(ErrorCode::kIo, errno, "cannot read " + path);
    return read_to_end<std::string>(file.get(), kMaxSmallFile, path);
}

// On a thread that may enter what the daemon does not. Nothing thrown there, or for want of a thread, gets
// out.
Result<void> on_thread(const std::function<Result<void>()>& work) {
    Result<void> result = fail(ErrorCode::kInternal, "no thread");
    try {
        std::thread thread([&] {
            try {
                result = work();
            } catch (const std::exception& error) {
                result = fail(ErrorCode::kInternal, error.what());
            }
        });
        thread.join();
    } catch (const std::exception& error) {
        return fail(ErrorCode::kInternal, std::string("cannot start a thread: ") + error.what());
    }
    return result;
}

// Some process is in the namespace.
bool has_processes(const struct stat& which) {
    const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), &::closedir);
    if (!processes) return false;
    while (const dirent* entry = ::readdir(processes.get())) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        struct stat info {};
        if (::stat(fmt::format("/proc/{}/ns/net", entry->d_name).c_str(), &info) == 0 &&
            info.st_dev == which.st_dev && info.st_ino == which.st_ino)
            return true;
    }
    return false;
}

} // namespace

bool NetNamespaces::is_marked(const std::string& name) const {
    struct stat info {};
    if (::stat(path(name).c_str(), &info) != 0) return false;
    const auto mark = read_file(mark_path(name));
    return mark && *mark == identity(info);
}

plan::NamespaceState NetNamespaces::state(const std::string& name) const {
    const Fd fd(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || !is_namespace(fd.get())) return plan::NamespaceState::kAbsent;
    if (!is_marked(name)) return plan::NamespaceState::kForeign;
    struct stat info {};
    if (::fstat(fd.get(), &info) == 0 && has_processes(info)) return plan::NamespaceState::kOursInUse;
    return plan::NamespaceState::kOurs;
}

Result<void> NetNamespaces::create(const std::string& name) const {
    if (state(name) != plan::NamespaceState::kAbsent) return {};
    WGD_TRY(make_directory(options_.directory, 0755));
    WGD_TRY(make_directory(options_.marks, 0700));
    const std::string target = path(name);
    // What is mounted over; a name whose namespace is gone leaves such a file behind.
    const Fd file(::open(target.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444));
    if (!file) return fail_errno(ErrorCode::kIo, errno, "cannot make " + target);
    auto made = on_thread([&]() -> Result<void> {
        if (::unshare(CLONE_NEWNET) != 0)
            return fail_errno(errno == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kKernel, errno,
                              "cannot make a network namespace");
        const std::string source = fmt::format("/proc/self/task/{}/ns/net", ::gettid());
        struct stat info {};
        if (::stat(source.c_str(), &info) != 0)
            return fail_errno(ErrorCode::kKernel, errno, "cannot look at the new network namespace");
        // The mark first: a namespace without one would stay for ever.
        WGD_TRY(write_file(mark_path(name), identity(info), 0600));
        if (::mount(source.c_str(), target.c_str(), "none", MS_BIND, nullptr) != 0)
            return fail_errno(errno == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kKernel, errno,
                              "cannot mount the network namespace " + name + " on " + target);
        return {};
    });
    if (!made) {
        ::unlink(mark_path(name).c_str());
        ::unlink(target.c_str());
    }
    return made;
}

Result<void> NetNamespaces::remove(const std::string& name) const {
    const std::string target = path(name);
    const bool ours = is_marked(name);
    if (ours && ::umount2(target.c_str(), MNT_DETACH) != 0)
        return fail_errno(ErrorCode::kKernel, errno, "cannot remove the network namespace " + name);
    // A creation that was cut short leaves a file with nothing mounted on it, and a mark of nothing.
    if (ours ||
        (state(name) == plan::NamespaceState::kAbsent && ::access(mark_path(name).c_str(), F_OK) == 0))
        ::unlink(target.c_str());
    if (state(name) == plan::NamespaceState::kAbsent) ::unlink(mark_path(name).c_str());
    return {};
}

Result<void> NetNamespaces::with_open(const std::string& name,
                                      const std::function<Result<void>(int)>& work) const {
    const Fd fd(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || !is_namespace(fd.get()))
        return fail(Error{ErrorCode::kNotFound, "there is no network namespace named " + name, ENOENT});
    return work(fd.get());
}

Result<void> NetNamespaces::run_in(const std::string& name, const std::function<Result<void>()>& work) const {
    return with_open(name, [&](int fd) {
        return on_thread([&]() -> Result<void> {
            if (::setns(fd, CLONE_NEWNET) != 0)
                return fail_errno(errno == EPERM ? ErrorCode::kNotAuthorized : ErrorCode::kKernel, errno,
                                  "cannot enter the network namespace " + name);
            return work();
        });
    });
}

Result<std::string> NetNamespaces::dns(const std::string& name) const {
    return read_file(options_.dns_directory + "/" + name + "/resolv.conf");
}

Result<void> NetNamespaces::set_dns(const std::string& name, const std::string& text) const {
    const std::string directory = options_.dns_directory + "/" + name;
    const std::string file = directory + "/resolv.conf";
    const auto now = read_file(file);
    WGD_TRY(now);
    if (!now->empty() && now->rfind(plan::kNamespaceDnsMark, 0) != 0)
        return fail(ErrorCode::kConflict, file + " is not ours; it is left alone");
    if (!text.empty()) {
        WGD_TRY(make_directory(options_.dns_directory, 0755));
        WGD_TRY(make_directory(directory, 0755));
        return write_file(file, text, 0644);
    }
    if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
        return fail_errno(ErrorCode::kIo, errno, "cannot remove " + file);
    ::rmdir(directory.c_str()); // if there is nothing else in it
    return {};
}

} // namespace wgd::sys
