// SPDX-License-Identifier: MIT
// datapath_cage_probe ATTEMPT: enters the cage as wgd-datapath does, with the same code, and then tries to
// get out. What the process can still do after the attempt it says on its standard output: "did ATTEMPT:
// result". A cage that holds ends it by SIGSYS before. For cage.sh.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "datapath/io/cage.hpp"

int main(int argc, char** argv) {
    char* const nothing[] = {nullptr};
    char shell[] = "/bin/sh";
    char* const words[] = {shell, nullptr};
    const std::map<std::string, std::function<long()>> attempts{
        {"none", [] { return 0L; }},
        {"memory",
         [] {
             return ::mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                            MAP_FAILED
                        ? -1L
                        : 0L;
         }},
        {"open", [] { return static_cast<long>(::open("/etc/shadow", O_RDONLY)); }},
        {"openat2", [] { return ::syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0); }},
        {"create", [] { return static_cast<long>(::open("/tmp/x", O_CREAT | O_RDWR, 0600)); }},
        {"socket", [] { return static_cast<long>(::socket(AF_INET, SOCK_STREAM, 0)); }},
        {"connect",
         [] {
             sockaddr_un address{};
             address.sun_family = AF_UNIX;
             return static_cast<long>(::connect(0, reinterpret_cast<sockaddr*>(&address), sizeof address));
         }},
        {"exec", [&] { return static_cast<long>(::execve(shell, words, nothing)); }},
        {"fork", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
        {"thread",
         [] {
             std::thread([] {}).join();
             return 0L;
         }},
        {"ptrace", [] { return ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr); }},
        {"peek",
         [] {
             char byte = 0;
             iovec here{&byte, 1}, there{&byte, 1};
             return static_cast<long>(::process_vm_readv(1, &here, 1, &there, 1, 0));
         }},
        {"kill", [] { return static_cast<long>(::kill(::getpid(), 0)); }},
        {"tgkill",
         [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }}, // of the same user, perhaps
        {"executable",
         [] {
             return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                            MAP_FAILED
                        ? -1L
                        : 0L;
         }},
        {"setuid", [] { return ::syscall(SYS_setuid, 0); }},
        {"mount", [] { return static_cast<long>(::mount("none", "/", "tmpfs", 0, nullptr)); }},
        {"namespace", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
        {"terminal",
         [] {
             char c = 'x';
             return static_cast<long>(::syscall(SYS_ioctl, 0, 0x5412UL, &c));
         }}, // TIOCSTI
    };
    const auto attempt = argc == 2 ? attempts.find(argv[1]) : attempts.end();
    if (attempt == attempts.end()) {
        for (const auto& [name, unused] : attempts) {
            (void)unused;
            std::puts(name.c_str());
        }
        return 2;
    }
    (void)wgd::io::cage::protect_memory();
    const auto caged = wgd::io::cage::enter();
    if (!caged) {
        std::fprintf(stderr, "%s\n", caged.error().message.c_str());
        return 77;
    }
    for (const std::string& missing : *caged)
        std::fprintf(stderr, "missing: %s\n", missing.c_str());
    if (attempt->first != "thread" && !wgd::io::cage::forbid_new_threads()) return 1;
    errno = 0;
    const long result = attempt->second();
    char line[128];
    const int length = std::snprintf(line, sizeof line, "did %s: %ld (errno %d)\n", argv[1], result, errno);
    (void)!::write(1, line, static_cast<std::size_t>(length));
    ::_exit(0);
}
