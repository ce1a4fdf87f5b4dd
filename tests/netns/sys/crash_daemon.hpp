// SPDX-License-Identifier: MIT
// A daemon on the real kernel and with real programs, whose n-th operation fails or kills it, and a machine
// for it. For root, in fresh namespaces.
#pragma once

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control/tunnel_manager.hpp"
#include "daemon/sys/backend_probe.hpp"
#include "daemon/sys/journal.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/path_prober.hpp"
#include "daemon/sys/profile_store.hpp"
#include "daemon/sys/thread_resolver.hpp"
#include "daemon/sys/timers.hpp"
#include "tests/netns/sys/machine.hpp"

namespace wgd::test {

enum class Injury { kKillBefore, kKillAfter, kFailBefore, kFailAfter };

// The real executor up to operation n.
class InjuredExecutor final : public ports::Executor {
  public:
    InjuredExecutor(ports::Executor& real, int n, Injury injury)
        : real_(real)
        , n_(n)
        , injury_(injury) {}
    void perform(const plan::Op& op, ports::Done done) override {
        if (count_++ != n_) return real_.perform(op, std::move(done));
        switch (injury_) {
        case Injury::kKillBefore:
            ::kill(::getpid(), SIGKILL);
            break;
        case Injury::kKillAfter:
            real_.perform(op, [](const Result<void>&) { ::kill(::getpid(), SIGKILL); });
            break;
        case Injury::kFailBefore:
            done(fail(ErrorCode::kKernel, "injected"));
            break;
        case Injury::kFailAfter:
            real_.perform(op, [done = std::move(done)](const Result<void>&) {
                done(fail(ErrorCode::kKernel, "injected"));
            });
        }
    }
    [[nodiscard]] bool reached() const { return count_ > n_; }

  private:
    ports::Executor& real_;
    int n_;
    Injury injury_;
    int count_ = 0;
};

// wgd without its bus, in the namespaces of the caller.
struct Daemon {
    test::LoopRunner runner;
    std::unique_ptr<sys::FileJournal> journal = std::move(sys::FileJournal::open("/run/wgd")).value();
    sys::NetlinkSocket netlink = sys::NetlinkSocket::open().value();
    NetlinkClient kernel = NetlinkClient::open().value();
    UapiClient userspace;
    sys::DatapathProcesses datapaths;
    sys::NetNamespaces namespaces{{"/run/netns", "/run/netns-etc", "/run/wgd/netns"}};
    std::unique_ptr<sys::DnsControl> dns = test::dns_of_test(runner.loop());
    sys::LinuxReader reader{netlink, kernel, userspace, *dns, namespaces};
    sys::LinuxExecutor executor{netlink, kernel,        userspace,        datapaths,
                                *dns,    runner.loop(), "/etc/wireguard", namespaces};
    InjuredExecutor injured;
    sys::DirectoryProfileStore profiles{{"/run/profiles", kMaxProfileBytes}};
    std::unique_ptr<sys::ThreadResolver> resolver =
        std::move(sys::ThreadResolver::create(runner.loop())).value();
    sys::LinuxBackendProbe backends;
    std::unique_ptr<sys::NetlinkMonitor> monitor =
        std::move(sys::NetlinkMonitor::create(runner.loop(), netlink, datapaths)).value();
    sys::PathProber paths{runner.loop()};
    sys::LoopTimers timers{runner.loop()};
    control::TunnelManager manager;

    explicit Daemon(const std::string& program, int n = -1, Injury injury = Injury::kKillBefore,
                    control::Settings settings = {})
        : datapaths(runner.loop(),
                    test::Machine::options(program, std::chrono::seconds(10), std::chrono::seconds(5)))
        , injured(executor, n, injury)
        , backends(program)
        , manager({reader, injured, profiles, *journal, *resolver, backends, *monitor, paths, timers,
                   system_clock()},
                  std::move(settings)) {}

    Result<void> recover() {
        return runner.finish([&](auto done) { manager.recover(std::move(done)); });
    }
    Result<void> up() {
        return runner.finish([&](auto done) {
            manager.up(home(), [done](Result<control::TunnelView> view) {
                if (view) return done({});
                done(fail(std::move(view).error()));
            });
        });
    }
    Result<void> down() {
        return runner.finish([&](auto done) { manager.down(home(), std::move(done)); });
    }
    static ProfileName home() { return ProfileName::parse("home").value(); }
};

// Everything that a tunnel could leave behind, byte for byte. A link that is made and deleted leaves no index
// behind: those of the others stay.
inline std::string picture() {
    return run(
        "printf '%s\\n' 'link show' 'address show' 'rule show' 'route show table all' | ip -j -batch - &&"
        "printf '%s\\n' 'rule show' 'route show table all' | ip -j -6 -batch - &&"
        "nft -j list ruleset && cat /run/resolv.conf &&"
        "grep -sH '' /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/* "
        "/proc/sys/net/ipv6/conf/all/*;"
        "find /run/wireguard /run/wgd -mindepth 1 | sort");
}

inline void put_profile(const std::string& text) {
    std::ofstream("/run/profiles/home.conf") << text;
    ::chmod("/run/profiles/home.conf", 0600);
}

// As profiles name a table by (ip-route(8)).
inline void make_machine() {
    test::run("ip link add name eth0 type veth peer name far0;"
              "ip link set dev eth0 addrgenmode none; ip link set dev far0 addrgenmode none;"
              "ip link set dev eth0 up; ip link set dev far0 up;"
              "ip address add 192.0.2.2/24 dev eth0; ip address add 2001:db8:1::2/64 dev eth0 nodad;"
              "ip route add default via 192.0.2.1; ip route add default via 2001:db8:1::1;"
              "mkdir -m 0700 /run/profiles; mkdir /run/wireguard;"
              "mkdir /run/iproute2; cp /etc/iproute2/rt_tables /run/iproute2/ 2>/dev/null || :;"
              "echo '200 vpn' >>/run/iproute2/rt_tables; mount --bind /run/iproute2 /etc/iproute2;"
              // The links find each other in their own time; with that come states and routes.
              "for i in $(seq 500); do"
              " [ \"$(ip -o link show up | grep -c 'state UP')\" = 2 ] &&"
              " [ \"$(ip -6 route show table local | grep -cE '2001:db8:1::2|ff00.*far0')\" = 2 ] && exit 0;"
              " sleep 0.02; done; exit 1");
}

} // namespace wgd::test
