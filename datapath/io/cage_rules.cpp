// SPDX-License-Identifier: MIT
// The system calls that the cage leaves (cage.hpp). This is a program of the build: it has libseccomp
// translate the rules for this machine's architecture and writes the filters to a header, cage_filters.hpp.
// Translated at every start they would take half a millisecond, and the caged program would carry the
// translator.
//   wgd_cage_rules FILE
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <vector>

namespace {

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

// What every program of this kind needs: memory that is not executable, locks, clocks, ends. No tgkill(2): it
// would reach the datapaths of other tunnels, which have the same user; abort(3) ends in SIGSYS instead.
bool allow_common(const Filter& filter) {
    return allow(filter, {SCMP_SYS(read),           SCMP_SYS(write),
                          SCMP_SYS(close),          SCMP_SYS(sendmsg),
                          SCMP_SYS(recvmsg),        SCMP_SYS(poll),
                          SCMP_SYS(ppoll),          SCMP_SYS(futex),
                          SCMP_SYS(munmap),         SCMP_SYS(mremap),
                          SCMP_SYS(madvise),        SCMP_SYS(brk),
                          SCMP_SYS(clock_gettime),  SCMP_SYS(getrandom),
                          SCMP_SYS(getpid),         SCMP_SYS(gettid),
                          SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
                          SCMP_SYS(rt_sigaction),   SCMP_SYS(restart_syscall),
                          SCMP_SYS(exit),           SCMP_SYS(exit_group),
                          SCMP_SYS(fstat)}) &&
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
           allow(filter, {SCMP_SYS(seccomp)}) && // forbid_new_threads(): a further filter can only take away
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

// Anything but clone(2), and with it a thread; what else is forbidden stays so by the first filter.
bool forbid_threads(const Filter& filter) {
    return seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0) == 0;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// The filter as an array of that name.
bool print(std::FILE* to, const char* name, const Filter& filter) {
    const File file(std::tmpfile(), std::fclose);
    if (!file || seccomp_export_bpf(filter.get(), fileno(file.get())) != 0) return false;
    std::rewind(file.get());
    std::vector<sock_filter> program;
    for (sock_filter instruction; std::fread(&instruction, sizeof instruction, 1, file.get()) == 1;)
        program.push_back(instruction);
    std::fprintf(to, "inline constexpr std::array<sock_filter, %zu> %s{{\n", program.size(), name);
    for (const sock_filter& i : program)
        std::fprintf(to, "    {0x%02x, %u, %u, 0x%08x},\n", i.code, i.jt, i.jf, i.k);
    std::fprintf(to, "}};\n");
    return !program.empty();
}

} // namespace

int main(int argc, char** argv) {
    const File header(argc == 2 ? std::fopen(argv[1], "w") : nullptr, std::fclose);
    if (!header) {
        std::fprintf(stderr, "usage: cage_rules FILE\n");
        return 2;
    }
    std::FILE* const to = header.get();
    const Filter datapath(seccomp_init(SCMP_ACT_KILL_PROCESS));
    const Filter keeper(seccomp_init(SCMP_ACT_KILL_PROCESS));
    const Filter no_threads(seccomp_init(SCMP_ACT_ALLOW));
    if (!datapath || !keeper || !no_threads || !allow_common(datapath) || !allow_datapath(datapath) ||
        !allow_common(keeper) || !allow_keeper(keeper) || !forbid_threads(no_threads)) {
        std::fprintf(stderr, "cage_rules: libseccomp refuses a rule\n");
        return 1;
    }
    std::fprintf(to, "// Made by datapath/io/cage_rules.cpp with libseccomp; for this architecture only.\n"
                     "#pragma once\n#include <array>\n#include <linux/filter.h>\n"
                     "namespace wgd::io::cage::filters {\n");
    if (!print(to, "kDatapath", datapath) || !print(to, "kKeeper", keeper) ||
        !print(to, "kNoThreads", no_threads)) {
        std::fprintf(stderr, "cage_rules: libseccomp cannot export a filter\n");
        return 1;
    }
    std::fprintf(to, "} // namespace wgd::io::cage::filters\n");
    return 0;
}
