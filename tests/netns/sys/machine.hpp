// SPDX-License-Identifier: MIT
// Adapters: those of daemon/sys over one loop, on the namespaces that the caller is in. Machine: fresh ones
// with adapters on them.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "daemon/sys/executor.hpp"
#include "daemon/sys/system_reader.hpp"
#include "tests/netns/sys/loop_runner.hpp"
#include "tests/netns/sys/namespace.hpp"

namespace wgd::test {

// Debian's wireguard-go, and wgd-datapath if it was built.
inline std::vector<std::string> datapath_programs() {
    std::vector<std::string> all{"/usr/bin/wireguard-go"};
    const auto own =
        std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/wgd-datapath";
    if (std::filesystem::exists(own)) all.push_back(own.string());
    return all;
}

// Name resolution over a file of the test's own, and nobody on the bus.
inline std::unique_ptr<sys::DnsControl> dns_of_test(loop::EventLoop& loop) {
    std::filesystem::create_directories("/run/wgd/dns");
    if (!std::filesystem::exists("/run/resolv.conf"))
        std::ofstream("/run/resolv.conf") << "nameserver 192.0.2.53\noptions edns0\n";
    sys::DnsControl::Options options;
    options.directory = "/run/wgd/dns";
    options.resolv_conf = "/run/resolv.conf";
    options.bus = false;
    return std::move(sys::DnsControl::create(loop, options)).value();
}

struct Adapters {
    struct Limits {
        Duration start = std::chrono::seconds(10);
        Duration stop = std::chrono::seconds(5);
    };

    LoopRunner runner;
    sys::NetlinkSocket netlink = sys::NetlinkSocket::open().value();
    NetlinkClient kernel = NetlinkClient::open().value();
    UapiClient userspace;
    sys::DatapathProcesses datapaths;
    sys::NetNamespaces namespaces{{"/run/netns", "/run/netns-etc", "/run/wgd/netns"}};
    std::unique_ptr<sys::DnsControl> dns = dns_of_test(runner.loop());
    sys::LinuxExecutor executor{netlink, kernel,        userspace,        datapaths,
                                *dns,    runner.loop(), "/etc/wireguard", namespaces};
    sys::LinuxReader reader{netlink, kernel, userspace, *dns, namespaces};

    Adapters(const std::string& program, const Limits& limits)
        : datapaths(runner.loop(), options(program, limits)) {}
    Result<void> perform(plan::Op op) {
        return runner.finish([&](ports::Done done) { executor.perform(op, std::move(done)); });
    }
    static sys::DatapathProcesses::Options options(const std::string& program, const Limits& limits) {
        std::filesystem::create_directories("/run/wgd/datapath");
        sys::DatapathProcesses::Options options;
        options.program = program;
        options.log_directory = "/run/wgd/datapath";
        options.start_limit = limits.start;
        options.stop_limit = limits.stop;
        return options;
    }
};

struct Machine : FreshNamespaces, Adapters {
    explicit Machine(const std::string& program, const Limits& limits = {})
        : Adapters(program, limits) {}
};

} // namespace wgd::test
