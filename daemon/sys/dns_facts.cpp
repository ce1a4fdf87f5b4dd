// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_facts.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kHead = 4096;

std::string link_target(const std::string& path) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::string head_of(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
    std::array<char, kHead> buffer{};
    const ssize_t length = ::read(fd.get(), buffer.data(), buffer.size());
    return length > 0 ? std::string(buffer.data(), static_cast<std::size_t>(length)) : std::string();
}

// nsswitch.conf(5): does "hosts:" name the service "resolve", which asks systemd-resolved?
bool hosts_by_resolved() {
    std::istringstream lines(head_of("/etc/nsswitch.conf"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string word;
        if (!(words >> word) || word != "hosts:") continue;
        while (words >> word)
            if (word == "resolve") return true;
    }
    return false;
}

// The three programs of that name know each other only by their texts: two are shell scripts that say whose
// they are, the third is a link to resolvectl(1).
plan::ResolvconfKind kind_of(const std::string& program) {
    std::array<char, PATH_MAX> real{};
    if (::realpath(program.c_str(), real.data()) != nullptr) {
        const std::string path = real.data();
        if (path.substr(path.rfind('/') + 1) == "resolvectl") return plan::ResolvconfKind::kResolvectl;
    }
    const std::string head = head_of(program);
    if (head.find("of the resolvconf package") != std::string::npos) return plan::ResolvconfKind::kDebian;
    return plan::ResolvconfKind::kOpenresolv; // and whatever else takes its command line
}

// wg-quick(8): the first interface of interface-order(5) that is written as NAME* gives a prefix, because
// Debian's resolvconf knows no metric; "tun*" makes it "tun.".
std::string interface_order_prefix() {
    std::istringstream lines(head_of("/etc/resolvconf/interface-order"));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t end =
            line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");
        if (end != std::string::npos && end != 0 && line.substr(end) == "*") return line.substr(0, end) + ".";
    }
    return "";
}

void find_resolvconf(plan::DnsFacts& facts) {
    for (const char* directory :
         {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
        std::string program = std::string(directory) + "/resolvconf";
        if (::access(program.c_str(), X_OK) != 0) continue;
        facts.resolvconf_kind = kind_of(program);
        if (link_target(program).empty()) facts.resolvconf_prefix = interface_order_prefix();
        facts.resolvconf = std::move(program);
        return;
    }
}

} // namespace

plan::DnsFacts read_dns_facts(const std::string& resolv_conf) {
    plan::DnsFacts facts;
    facts.resolv_conf_exists = ::access(resolv_conf.c_str(), F_OK) == 0;
    facts.link_target = link_target(resolv_conf);
    facts.head = head_of(resolv_conf);
    const std::string directory = resolv_conf.substr(0, resolv_conf.rfind('/') + 1);
    // A file may be writable in a directory that is not (bind mount), and be replaceable though it is not.
    facts.writable = ::access(directory.c_str(), W_OK) == 0 || ::access(resolv_conf.c_str(), W_OK) == 0;
    facts.glibc_asks_resolved = hosts_by_resolved();
    find_resolvconf(facts);
    return facts;
}

} // namespace wgd::sys
