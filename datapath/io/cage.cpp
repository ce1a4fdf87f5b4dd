// SPDX-License-Identifier: MIT
#include "datapath/io/cage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <initializer_list>
#include <limits>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <optional>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <tuple>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "datapath/io/cage_filters.hpp" // made from cage_rules.cpp

namespace wgd::io::cage {

namespace {

constexpr const char* kUser = "wgd-datapath"; // made by the package's sysusers file; else nobody
constexpr uid_t kNobody = 65534;

std::string why(const char* what) {
    return fail_errno(ErrorCode::kIo, errno, what).value().message;
}

// --- file system and identity ---

// Whole numbers between colons, as in passwd(5).
std::optional<std::uint32_t> number(std::string_view& line) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{} || end == line.data() + line.size() || *end != ':') return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
    return value;
}

std::string contents_of(const char* path) {
    std::string text;
    const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; file && (got = ::read(file.get(), buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(got));
    return text;
}

// The package's sysusers file makes a local user; asking the name service would load half a dozen libraries,
// which takes longer than all the rest of the start.
std::optional<std::pair<uid_t, gid_t>> local_user(std::string_view name) {
    const std::string passwd = contents_of("/etc/passwd");
    for (std::string_view rest = passwd; !rest.empty();) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.substr(0, name.size()) != name || line.substr(name.size(), 1) != ":") continue;
        line.remove_prefix(name.size() + 1);
        line.remove_prefix(std::min(line.find(':'), line.size() - 1) + 1); // the password
        const auto uid = number(line);
        const auto gid = number(line);
        if (uid && gid) return std::pair(*uid, *gid);
    }
    return std::nullopt;
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
    for (unsigned capability = 0; capability < 64; ++capability)
        if (!kept.has(capability) && ::prctl(PR_CAPBSET_DROP, capability) < 0)
            return; // EINVAL: no more of them
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

// A filter made by cage_rules.cpp when this program was built.
template <std::size_t kSize>
Result<void> install(const std::array<sock_filter, kSize>& filter, unsigned flags) {
    static_assert(kSize <= BPF_MAXINSNS);
    const sock_fprog program{static_cast<unsigned short>(kSize), const_cast<sock_filter*>(filter.data())};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
        return fail(ErrorCode::kUnsupported,
                    "the system call filter cannot be set (is seccomp in this kernel?)");
    return {};
}

} // namespace

void close_inherited(std::initializer_list<int> kept) {
    std::vector<unsigned> ends; // of the gaps
    for (int fd : kept)
        if (fd > STDERR_FILENO) ends.push_back(static_cast<unsigned>(fd));
    std::sort(ends.begin(), ends.end());
    unsigned from = STDERR_FILENO + 1;
    const auto close_up_to = [&](unsigned end) { // and without that one
        // Linux 5.9. Before, one by one as far as there may be any.
        if (from < end && ::syscall(SYS_close_range, from, end - 1, 0) < 0)
            for (unsigned fd = from; fd < std::min<unsigned>(end, 65536); ++fd)
                (void)::close(static_cast<int>(fd));
        from = end + 1;
    };
    for (unsigned end : ends)
        close_up_to(end);
    close_up_to(std::numeric_limits<int>::max());
}

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
    if (has_filter()) WGD_TRY(install(filters::kDatapath, 0));
    return missing;
}

Result<void> forbid_new_threads() {
    if (!has_filter()) return {};
    return install(filters::kNoThreads, SECCOMP_FILTER_FLAG_TSYNC); // of all threads there are
}

Result<void> enter_as_keeper() {
    const CapabilitySet network({CAP_NET_ADMIN, CAP_NET_BIND_SERVICE});
    bound_capabilities(network);
    if (!keep_capabilities(network)) return fail_errno(ErrorCode::kIo, errno, "cannot give up capabilities");
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail_errno(ErrorCode::kUnsupported, errno, "cannot set no_new_privs");
    if (!has_filter()) return {};
    return install(filters::kKeeper, 0);
}

} // namespace wgd::io::cage
