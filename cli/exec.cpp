// SPDX-License-Identifier: MIT
// wgctl exec NAME -- COMMAND: a command in the network namespace of a tunnel, as `ip netns exec`
// (ip-netns(8)) has it: the namespace, a /sys that shows it, and the files of /etc/netns/NAME in the place of
// those in /etc. The command takes the place of this process, so that its exit status and signals are its
// own.
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <memory>
#include <optional>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/command.hpp"
#include "cli/daemon_client.hpp"
#include "cli/terminal.hpp"
#include "common/base/fd.hpp"

namespace wgd::cli {
namespace {

// As the shells have it.
constexpr int kCannotRun = 126;
constexpr int kNoSuchCommand = 127;

constexpr const char* kNamespaces = "/run/netns";
constexpr const char* kNamespaceFiles = "/etc/netns";

CommandError failed(const std::string& what, int err) {
    if (err == EPERM || err == EACCES)
        return {kDenied, "denied", what + ": needs root (CAP_SYS_ADMIN): try sudo"};
    return {kFailed, "failed", what + ": " + std::strerror(err)};
}

// The files of /etc/netns/NAME over those of the same name in /etc. Only where there is such a file: there is
// nothing else to mount on. (/etc/resolv.conf is often a link; a mount follows it.)
std::optional<CommandError> bind_files(const std::string& netns) {
    const std::string directory = std::string(kNamespaceFiles) + "/" + netns;
    const std::unique_ptr<DIR, int (*)(DIR*)> files(::opendir(directory.c_str()), &::closedir);
    if (!files) return std::nullopt;
    while (const dirent* entry = ::readdir(files.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        const std::string from = directory + "/" + name;
        const std::string onto = "/etc/" + name;
        if (::mount(from.c_str(), onto.c_str(), "none", MS_BIND, nullptr) == 0) continue;
        // With the wrong DNS the command would tell the wrong server what it looks up.
        if (name == "resolv.conf") return failed("cannot put " + from + " in the place of " + onto, errno);
        std::fprintf(stderr, "wgctl: %s is not put in the place of %s: %s\n", printable(from).c_str(),
                     printable(onto).c_str(), std::strerror(errno));
    }
    return std::nullopt;
}

std::optional<CommandError> enter(const std::string& netns) {
    const std::string path = std::string(kNamespaces) + "/" + netns;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return failed("cannot open the network namespace " + netns, errno);
    if (::setns(fd.get(), CLONE_NEWNET) != 0)
        return failed("cannot enter the network namespace " + netns, errno);
    // A view of the file system of its own, into which what is mounted outside still comes.
    if (::unshare(CLONE_NEWNS) != 0) return failed("cannot make a mount namespace", errno);
    if (::mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0 && errno != EINVAL)
        return failed("cannot make the mounts private", errno);
    // /sys/class/net is of the namespace that mounted it.
    struct statvfs sys {};
    const unsigned long read_only =
        ::statvfs("/sys", &sys) == 0 && (sys.f_flag & ST_RDONLY) != 0 ? MS_RDONLY : 0;
    if (::umount2("/sys", MNT_DETACH) == 0 || errno == EINVAL)
        if (::mount(netns.c_str(), "/sys", "sysfs", read_only | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) !=
            0)
            return failed("cannot mount /sys", errno);
    return bind_files(netns);
}

std::optional<unsigned long> number_of(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr || *text < '0' || *text > '9') return std::nullopt;
    char* end = nullptr;
    errno = 0;
    const unsigned long number = std::strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || number >= UINT_MAX) return std::nullopt;
    return number;
}

// sudo(8) made us root for the sake of the namespace; the command is the caller's.
std::optional<CommandError> become_caller() {
    const auto uid = number_of("SUDO_UID");
    const auto gid = number_of("SUDO_GID");
    if (::geteuid() != 0 || !uid || !gid || *uid == 0) return std::nullopt;
    const passwd* user = ::getpwuid(static_cast<uid_t>(*uid));
    const std::string name = user != nullptr ? user->pw_name : "";
    const std::string home = user != nullptr ? user->pw_dir : "/";
    const int groups =
        name.empty() ? ::setgroups(0, nullptr) : ::initgroups(name.c_str(), static_cast<gid_t>(*gid));
    if (groups != 0 ||
        ::setresgid(static_cast<gid_t>(*gid), static_cast<gid_t>(*gid), static_cast<gid_t>(*gid)) != 0 ||
        ::setresuid(static_cast<uid_t>(*uid), static_cast<uid_t>(*uid), static_cast<uid_t>(*uid)) != 0)
        return failed("cannot become the user who called sudo", errno);
    ::setenv("HOME", home.c_str(), 1);
    if (!name.empty()) {
        ::setenv("USER", name.c_str(), 1);
        ::setenv("LOGNAME", name.c_str(), 1);
    }
    for (const char* variable : {"SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"})
        ::unsetenv(variable);
    return std::nullopt;
}

// The connection to the bus is made, used and ended here: the command inherits nothing of it.
Outcome<TunnelStatus> ask(const std::string& name) {
    auto daemon = DaemonClient::connect();
    if (!daemon) return tl::unexpected(daemon.error());
    return (*daemon)->tunnel(name, false);
}

} // namespace

int run_exec(const Invocation& invocation) {
    const std::string& name = invocation.operands[0];
    const auto tunnel = ask(name);
    if (!tunnel) return report(invocation, tunnel.error());
    if (tunnel->netns.empty())
        return report(invocation,
                      {kFailed, "failed",
                       "the tunnel '" + name +
                           "' is in no network namespace of its own: give it one with netns in wgd.toml(5)"});
    if (tunnel->state != "up" && tunnel->state != "reapplying")
        return report(invocation, {kFailed, "failed", "the tunnel '" + name + "' is " + tunnel->state});
    if (const auto error = enter(tunnel->netns)) return report(invocation, *error);
    if (!invocation.has("--root"))
        if (const auto error = become_caller()) return report(invocation, *error);

    std::vector<char*> words;
    for (std::size_t i = 1; i < invocation.operands.size(); ++i)
        words.push_back(const_cast<char*>(invocation.operands[i].c_str())); // execvp(3) changes none of them
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    const int err = errno;
    std::fprintf(stderr, "%s: %s: %s\n", invocation.program.c_str(),
                 printable(invocation.operands[1]).c_str(), std::strerror(err));
    return err == ENOENT ? kNoSuchCommand : kCannotRun;
}

} // namespace wgd::cli
