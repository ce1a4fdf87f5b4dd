// SPDX-License-Identifier: MIT
#include "datapath/io/cage.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <grp.h>
#include <initializer_list>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <memory>
#include <optional>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <tuple>
#include <unistd.h>

#include "common/base/fd.hpp"

namespace wgd::io::cage {

namespace {

constexpr const char* kUser = "wgd-datapath"; // made by the package's sysusers file; else nobody
constexpr uid_t kNobody = 65534;

std::string why(const char* what) {
    return fail_errno(ErrorCode::kIo, errno, what).value().message;
}

// --- file system and identity ---

// Like fgetpwent(3) for one name. The package's sysusers file makes a local user; asking the name service
// would load half a dozen libraries, which takes longer than all the rest of the start.
std::optional<std::pair<uid_t, gid_t>> local_user(const char* name) {
    std::FILE* const file = std::fopen("/etc/passwd", "re");
    if (file == nullptr) return std::nullopt;
    std::optional<std::pair<uid_t, gid_t>> found;
    while (const passwd* user = ::fgetpwent(file))
        if (std::strcmp(user->pw_name, name) == 0) {
            found = {user->pw_uid, user->pw_gid};
            break;
        }
    std::fclose(file);
    return found;
}

// An empty, read-only tmpfs that is mounted nowhere, as our root: no path leads out of it and none into it.
// Its descriptor stays open for the rest of our life, since closing it would take the mount apart, which
// waits for an RCU grace period of some milliseconds. Linux 5.2.
bool detached_root() {
    Fd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!context || ::fsconfig(context.get(), FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) < 0 ||
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
        return false;
    Fd root(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
    if (!root || ::fchdir(root.get()) < 0 || ::chroot(".") < 0) return false;
    (void)root.release();
    return true;
}

// On older kernels: a mount namespace whose root is such a tmpfs.
bool namespace_root() {
    if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1,mode=0555") <
            0 ||
        ::chdir("/tmp") < 0)
        return false;
    // New root on the old one, at the same place; then the old one lies on top and is taken off. From an
    // initramfs, which cannot be pivoted away, chroot(2) has to do: without capabilities there is no way back
    // either.
    if (::syscall(SYS_pivot_root, ".", ".") == 0) {
        if (::umount2(".", MNT_DETACH) < 0) return false;
    } else if (::chroot(".") < 0) {
        return false;
    }
    return ::chdir("/") == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                   nullptr) == 0;
}

struct CapabilitySet {
    std::uint32_t mask[2] = {0, 0};
    explicit CapabilitySet(std::initializer_list<unsigned> capabilities) {
        for (unsigned capability : capabilities)
            mask[capability / 32] |= 1U << (capability % 32);
    }
    [[nodiscard]] bool has(unsigned capability) const {
        return capability < 64 && (mask[capability / 32] >> (capability % 32) & 1) != 0;
    }
};

// What could ever be had again; needs CAP_SETPCAP, without which no_new_privs has the same effect.
void bound_capabilities(const CapabilitySet& kept) {
    for (unsigned capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
        if (!kept.has(capability)) (void)::prctl(PR_CAPBSET_DROP, capability);
}

bool keep_capabilities(const CapabilitySet& kept) {
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    if (::syscall(SYS_capget, &header, data) < 0) return false;
    for (int i = 0; i < 2; ++i) {
        data[i].permitted &= kept.mask[i]; // not more than there is
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return ::syscall(SYS_capset, &header, data) == 0;
}

bool change_user(uid_t uid, gid_t gid) {
    return ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 && ::setresuid(uid, uid, uid) == 0;
}

// --- system calls ---

struct FilterDeleter {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

bool allow(const Filter& filter, std::initializer_list<int> calls) {
    for (int call : calls)
        if (call >= 0 &&
            seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) != 0) // < 0: not on this machine
            return false;
    return true;
}

bool allow_if(const Filter& filter, int call, scmp_arg_cmp condition) {
    return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &condition) == 0;
}

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// What every program of this kind needs: memory that is not executable, locks, clocks, ends.
bool allow_common(const Filter& filter) {
    return allow(filter, {SCMP_SYS(read),          SCMP_SYS(write),           SCMP_SYS(close),
                          SCMP_SYS(sendmsg),       SCMP_SYS(recvmsg),         SCMP_SYS(poll),
                          SCMP_SYS(ppoll),         SCMP_SYS(futex),           SCMP_SYS(munmap),
                          SCMP_SYS(mremap),        SCMP_SYS(madvise),         SCMP_SYS(brk),
                          SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),       SCMP_SYS(getpid),
                          SCMP_SYS(gettid),        SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),
                          SCMP_SYS(rt_sigaction),  SCMP_SYS(restart_syscall), SCMP_SYS(exit),
                          SCMP_SYS(exit_group),    SCMP_SYS(tgkill),          SCMP_SYS(fstat)}) &&
           allow_if(filter, SCMP_SYS(mmap), masked(2, PROT_EXEC, 0)) &&
           allow_if(filter, SCMP_SYS(mprotect), masked(2, PROT_EXEC, 0));
}

bool allow_datapath(const Filter& filter) {
    return allow(filter,
                 {SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
                  SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(accept4),
                  SCMP_SYS(dup3), SCMP_SYS(timerfd_settime), SCMP_SYS(getsockopt),
                  // threads
                  SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                  SCMP_SYS(sched_yield)}) &&
           // The TUN: is it still there? An interface name in an endpoint: which index? Nothing else.
           allow_if(filter, SCMP_SYS(ioctl), equals(1, TUNGETIFF)) &&
           allow_if(filter, SCMP_SYS(ioctl), equals(1, SIOCGIFINDEX)) &&
           allow_if(filter, SCMP_SYS(prctl), equals(0, PR_SET_NAME)) &&
           // For forbid_new_threads(): a further filter can only take away.
           allow_if(filter, SCMP_SYS(prctl), equals(0, PR_SET_NO_NEW_PRIVS)) &&
           allow(filter, {SCMP_SYS(seccomp)}) &&
           // Threads yes, processes no. clone3(2) hides its flags in memory: the C library then uses
           // clone(2).
           allow_if(filter, SCMP_SYS(clone), masked(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM)) &&
           seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

bool allow_keeper(const Filter& filter) {
    return allow(filter, {SCMP_SYS(socket), SCMP_SYS(bind), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
                          SCMP_SYS(getsockname), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(shutdown),
                          // the socket's file, at the end
                          SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(lstat), SCMP_SYS(newfstatat)});
}

Result<void> load(const Filter& filter, bool complete) {
    if (!filter || !complete || seccomp_load(filter.get()) != 0)
        return fail(ErrorCode::kUnsupported,
                    "the system call filter cannot be set (is seccomp in this kernel?)");
    return {};
}

} // namespace

std::vector<std::string> protect_memory() {
    std::vector<std::string> missing;
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_CORE, &none) < 0 || ::prctl(PR_SET_DUMPABLE, 0) < 0)
        missing.push_back(why("core dumps cannot be turned off"));
    // On fault: what is touched, not the whole of every library. Future allocations only if the limit is
    // gone: beyond it they would fail once CAP_IPC_LOCK is given up.
    const rlimit infinite{RLIM_INFINITY, RLIM_INFINITY};
    const int future = ::setrlimit(RLIMIT_MEMLOCK, &infinite) == 0 ? MCL_FUTURE : 0;
    if (::mlockall(MCL_CURRENT | MCL_ONFAULT | future) < 0)
        missing.push_back(why("memory cannot be locked, keys may reach the swap space"));
    else if (future == 0)
        missing.emplace_back("not all memory can be locked, keys may reach the swap space");
    return missing;
}

Result<std::vector<std::string>> enter() {
    std::vector<std::string> missing;
    uid_t uid = kNobody;
    gid_t gid = kNobody;
    if (const auto user = local_user(kUser)) // before the files are gone
        std::tie(uid, gid) = *user;
    if (!detached_root() && !namespace_root()) missing.push_back(why("no empty root directory"));
    const CapabilitySet none({});
    bound_capabilities(none);
    if (::getuid() == 0 && !change_user(uid, gid)) missing.push_back(why("cannot become another user"));
    if (!keep_capabilities(none)) missing.push_back(why("cannot give up capabilities"));
    if (::prctl(PR_SET_DUMPABLE, 0) < 0)
        missing.push_back(why("cannot become undumpable again")); // reset by setuid
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail_errno(ErrorCode::kUnsupported, errno, "cannot set no_new_privs");
    if (has_filter()) {
        const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
        WGD_TRY(load(filter, filter && allow_common(filter) && allow_datapath(filter)));
    }
    return missing;
}

Result<void> forbid_new_threads() {
    if (!has_filter()) return {};
    const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
    const bool complete = filter && seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
                          seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0) == 0;
    return load(filter, complete);
}

Result<void> enter_as_keeper() {
    const CapabilitySet network({CAP_NET_ADMIN, CAP_NET_BIND_SERVICE});
    bound_capabilities(network);
    if (!keep_capabilities(network)) return fail_errno(ErrorCode::kIo, errno, "cannot give up capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail_errno(ErrorCode::kUnsupported, errno, "cannot set no_new_privs");
    if (!has_filter()) return {};
    const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS));
    return load(filter, filter && allow_common(filter) && allow_keeper(filter));
}

} // namespace wgd::io::cage
