// SPDX-License-Identifier: MIT
#include "daemon/sys/backend_probe.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/socket.h>
#include <string_view>
#include <unistd.h>

namespace wgd::sys {
namespace {

struct SocketDeleter {
    void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};

std::string first_word_of(const std::string& path) {
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word;
}

std::string family_problem() {
    const std::unique_ptr<nl_sock, SocketDeleter> socket(nl_socket_alloc());
    if (!socket) return "out of memory";
    int err = genl_connect(socket.get());
    if (err >= 0) err = genl_ctrl_resolve(socket.get(), "wireguard");
    if (err >= 0) return "";
    if (err == -NLE_OBJ_NOTFOUND) return "no module of it could be loaded";
    return std::string("the kernel's generic netlink did not answer: ") + nl_geterror(err);
}

} // namespace

std::string kernel_module_text(const std::string& root) {
    if (::access(root.c_str(), F_OK) != 0) return "built into the kernel";
    const std::string version = first_word_of(root + "/version");
    // kmod/Kbuild: ours ends in this, whatever its number.
    static constexpr std::string_view kOurs = "-wgd";
    if (version.size() > kOurs.size() &&
        version.compare(version.size() - kOurs.size(), kOurs.size(), kOurs) == 0)
        return "wgd kmod " + version.substr(0, version.size() - kOurs.size());
    // The kernel taints itself with "O" for a module that was not built with it.
    if (first_word_of(root + "/taint").find('O') != std::string::npos)
        return version.empty() ? "out-of-tree module" : "out-of-tree module, version " + version;
    return "in-tree";
}

ports::BackendReport LinuxBackendProbe::probe() {
    ports::BackendReport report;
    const std::string problem = family_problem();
    report.kernel = problem.empty();
    report.kernel_reason = report.kernel ? kernel_module_text(kKernelModule) : problem;

    if (datapath_program_.empty())
        report.userspace_reason = "the program wgd-datapath is not installed";
    else if (::access(datapath_program_.c_str(), X_OK) != 0)
        report.userspace_reason = datapath_program_ + " cannot be executed";
    else if (::access("/dev/net/tun", R_OK | W_OK) != 0)
        report.userspace_reason = "/dev/net/tun is missing or may not be opened";
    else {
        report.userspace = true;
        report.userspace_reason = datapath_program_;
    }
    return report;
}

std::string find_datapath_program(const std::string& configured) {
    if (!configured.empty()) return configured; // if it is wrong, probe() says so
    std::vector<std::filesystem::path> directories;
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) {
        directories.push_back(self.parent_path());
        directories.push_back(self.parent_path().parent_path() /
                              "bin"); // PREFIX/sbin/wgd, PREFIX/bin/wgd-datapath
    }
    for (const char* directory : {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"})
        directories.emplace_back(directory);
    for (const auto& directory : directories) {
        const auto path = directory / "wgd-datapath";
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return "";
}

} // namespace wgd::sys
