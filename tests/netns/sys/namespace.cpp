// SPDX-License-Identifier: MIT
#include "tests/netns/sys/namespace.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <stdexcept>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/requirement/requirement.hpp"

namespace wgd::test {
namespace {

void check(int result, const char* what) {
    if (result != 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

} // namespace

std::string missing_requirement() {
    if (::geteuid() != 0) return "root";
    // In a child: this process is to stay in the namespaces it is in until a test asks.
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 ? 0 : 1);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0)
        return "permission to make network namespaces";
    if (status_of("ip -j link show lo >/dev/null 2>&1") != 0) return "iproute2";
    if (::access("/usr/bin/wireguard-go", X_OK) != 0) return "wireguard-go";
    if (status_of("wg --version >/dev/null 2>&1") != 0) return "wireguard-tools";
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "/dev/net/tun";
    return "";
}

FreshNamespaces::FreshNamespaces() {
    check(::unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount / private");
    check(::mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), "mount /run");
    run("ip link set lo up");
}

std::string run(const std::string& command) {
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
    std::string output;
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        output.append(buffer, got);
    const int status = ::pclose(pipe);
    if (status != 0) throw std::runtime_error(command + " failed: " + output);
    return output;
}

nlohmann::json run_json(const std::string& command) {
    const std::string output = run(command);
    return nlohmann::json::parse(output.empty() ? "[]" : output);
}

int status_of(const std::string& command) {
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

} // namespace wgd::test
