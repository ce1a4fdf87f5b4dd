// SPDX-License-Identifier: MIT
#include "tests/unit/wgapi/wireguard_go.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wgapi/uapi_client.hpp"

namespace wgd::test {

std::string enter_own_namespaces() {
    if (::geteuid() != 0) return "root";
    if (std::system("command -v wireguard-go >/dev/null && command -v wg >/dev/null") != 0)
        return "wireguard-go and wg";
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "/dev/net/tun";
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return "network and mount namespaces";
    if ((::mkdir("/var/run/wireguard", 0755) != 0 && errno != EEXIST) ||
        ::mount("wgdt", "/var/run/wireguard", "tmpfs", 0, "mode=0755") != 0)
        return "a tmpfs on /var/run/wireguard";
    return {};
}

WireguardGo::WireguardGo(std::string interface)
    : interface_(std::move(interface)) {
    pid_ = ::fork();
    if (pid_ == 0) {
        const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)::dup2(null, STDOUT_FILENO);
        (void)::dup2(null, STDERR_FILENO);
        ::execlp("wireguard-go", "wireguard-go", "-f", interface_.c_str(), nullptr);
        ::_exit(127);
    }
    for (int i = 0; i < 1000; ++i) { // its socket is the only sign of readiness
        if (UapiClient().serves(interface_)) return;
        if (::waitpid(pid_, nullptr, WNOHANG) != 0) break;
        ::usleep(10'000);
    }
    throw std::runtime_error("wireguard-go did not start");
}

WireguardGo::~WireguardGo() {
    ::kill(pid_, SIGTERM);
    (void)::waitpid(pid_, nullptr, 0);
}

std::string output_of(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen");
    char buffer[4096];
    while (const auto got = std::fread(buffer, 1, sizeof buffer, pipe))
        out.append(buffer, got);
    ::pclose(pipe);
    return out;
}

} // namespace wgd::test
