// SPDX-License-Identifier: MIT
// CrashDaemon: wgd without its bus, in the namespaces of the caller, whose n-th operation fails or kills it;
// and a machine for it. For root, in FreshNamespaces.
#pragma once

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "daemon/control/tunnel_manager.hpp"
#include "daemon/sys/backend_probe.hpp"
#include "daemon/sys/journal.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/path_prober.hpp"
#include "daemon/sys/profile_store.hpp"
#include "daemon/sys/thread_resolver.hpp"
#include "daemon/sys/timers.hpp"
#include "tests/netns/sys/idle_link.hpp"
#include "tests/netns/sys/machine.hpp"

namespace wgd::test {

enum class Injury { kKillBefore, kKillAfter, kFailBefore, kFailAfter };

inline bool kills(Injury injury) {
    return injury == Injury::kKillBefore || injury == Injury::kKillAfter;
}
inline const char* words(Injury injury) {
    switch (injury) {
    case Injury::kKillBefore:
        return "killed before";
    case Injury::kKillAfter:
        return "killed after";
    case Injury::kFailBefore:
        return "failed before";
    case Injury::kFailAfter:
        break;
    }
    return "failed after";
}

// Another executor, but for operation n after arm().
class InjuredExecutor final : public ports::Executor {
  public:
    InjuredExecutor(ports::Executor& real, int n, Injury injury)
        : real_(real)
        , n_(n)
        , injury_(injury) {}
    void arm() { count_ = 0; }
    bool disarm() { return std::exchange(count_, -1) > n_; } // whether it was reached
    void perform(const plan::Op& op, ports::Done done) override {
        if (count_ < 0 || count_++ != n_) return real_.perform(op, std::move(done));
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

  private:
    ports::Executor& real_;
    int n_;
    Injury injury_;
    int count_ = -1;
};

struct CrashDaemon : Adapters {
    struct Options {
        std::string program; // the datapath; "": idle links (idle_link.hpp)
        int n = -1;          // -1: unharmed
        Injury injury = Injury::kKillBefore;
        control::Settings settings;
    };

    std::unique_ptr<sys::FileJournal> journal = std::move(sys::FileJournal::open("/run/wgd")).value();
    IdleLinkReader idle_reader{reader};
    IdleLinkExecutor idle_executor{executor, netlink};
    InjuredExecutor injured;
    sys::DirectoryProfileStore profiles{{"/run/profiles", kMaxProfileBytes}};
    std::unique_ptr<sys::ThreadResolver> resolver =
        std::move(sys::ThreadResolver::create(runner.loop())).value();
    sys::LinuxBackendProbe backends;
    IdleLinkProbe idle_backend;
    std::unique_ptr<sys::NetlinkMonitor> monitor =
        std::move(sys::NetlinkMonitor::create(runner.loop(), netlink, datapaths)).value();
    sys::PathProber paths{runner.loop()};
    sys::LoopTimers timers{runner.loop()};
    control::TunnelManager manager;

    explicit CrashDaemon(const Options& options)
        : Adapters(options.program, {})
        , injured(options.program.empty() ? static_cast<ports::Executor&>(idle_executor) : executor,
                  options.n, options.injury)
        , backends(options.program)
        , manager({options.program.empty() ? static_cast<ports::SystemReader&>(idle_reader) : reader, injured,
                   profiles, *journal, *resolver,
                   options.program.empty() ? static_cast<ports::BackendProbe&>(idle_backend) : backends,
                   *monitor, paths, timers, system_clock()},
                  options.settings) {}

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
    [[nodiscard]] bool is_up() {
        const auto view = manager.tunnel(home());
        return view && view->state == control::TunnelState::kUp;
    }
    static ProfileName home() { return ProfileName::parse("home").value(); }
};

// Everything that a tunnel could leave behind. A link that is made and deleted leaves no index behind: those
// of the others stay.
inline std::string picture() {
    std::string all = run("printf '%s\\n' 'link show' 'address show' 'rule show' 'route show table all' |"
                          " ip -j -batch - && printf '%s\\n' 'rule show' 'route show table all' |"
                          " ip -j -6 -batch - && nft -j list ruleset");
    const auto add_file = [&](const std::filesystem::path& path) {
        std::ostringstream text; // empty for what cannot be read (stable_secret that is not set)
        text << std::ifstream(path).rdbuf();
        all += path.string() + ": " + text.str() + "\n";
    };
    for (const char* sysctls : {"/proc/sys/net/ipv4/conf/all", "/proc/sys/net/ipv6/conf/all"})
        for (const auto& entry : std::filesystem::directory_iterator(sysctls))
            if (entry.is_regular_file()) add_file(entry.path());
    add_file("/proc/sys/net/ipv4/ip_forward");
    add_file("/run/resolv.conf");
    std::set<std::string> files;
    for (const char* directory : {"/run/wireguard", "/run/wgd"})
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
            files.insert(entry.path().string());
    for (const std::string& file : files)
        all += file + "\n";
    return all;
}

inline void put_profile(const std::string& text) {
    std::ofstream("/run/profiles/home.conf") << text;
    ::chmod("/run/profiles/home.conf", 0600);
}

// With a table named 200 "vpn", as profiles name it (ip-route(8)).
inline void make_machine() {
    run("ip link add name eth0 type veth peer name far0;"
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
