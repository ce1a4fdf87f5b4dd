// SPDX-License-Identifier: MIT
// `up` of a full tunnel on the real kernel, killed or made to fail before and after every operation:
// afterwards (for a kill: after the next start) the machine is as it was, or the tunnel is up as a whole, and
// no undo log is left.
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control/tunnel_manager.hpp"
#include "daemon/sys/backend_probe.hpp"
#include "daemon/sys/journal.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/path_prober.hpp"
#include "daemon/sys/profile_store.hpp"
#include "daemon/sys/resolver.hpp"
#include "daemon/sys/timers.hpp"
#include "tests/netns/sys/machine.hpp"

using namespace wgd;

namespace {

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

    explicit Daemon(const std::string& program, int n = -1, Injury injury = Injury::kKillBefore)
        : datapaths(runner.loop(),
                    test::Machine::options(program, std::chrono::seconds(10), std::chrono::seconds(5)))
        , injured(executor, n, injury)
        , backends(program)
        , manager({reader, injured, profiles, *journal, *resolver, backends, *monitor, paths, timers,
                   system_clock()},
                  {}) {}

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

// Everything that a tunnel could leave behind, link indexes left out: they never come back.
std::string picture() {
    return test::run(
        "ip -o link | sed 's/^[0-9]*: //'; ip -o address | sed 's/^[0-9]*: //'; ip rule; ip -6 rule;"
        "ip route show table all; ip -6 route show table all;"
        "cat /proc/sys/net/ipv4/conf/all/src_valid_mark;"
        "find /run/wireguard /run/wgd -mindepth 1 | sort");
}

void make_machine() {
    test::run("ip link add name eth0 type veth peer name far0;"
              "ip link set dev eth0 addrgenmode none; ip link set dev far0 addrgenmode none;"
              "ip link set dev eth0 up; ip link set dev far0 up;"
              "ip address add 192.0.2.2/24 dev eth0; ip address add 2001:db8:1::2/64 dev eth0 nodad;"
              "ip route add default via 192.0.2.1; ip route add default via 2001:db8:1::1;"
              "mkdir -m 0700 /run/profiles; mkdir /run/wireguard;"
              // The links find each other in their own time; with that come states and routes.
              "for i in $(seq 500); do"
              " [ \"$(ip -o link show up | grep -c 'state UP')\" = 2 ] &&"
              " [ \"$(ip -6 route show table local | grep -cE '2001:db8:1::2|ff00.*far0')\" = 2 ] && exit 0;"
              " sleep 0.02; done; exit 1");
    std::ofstream("/run/profiles/home.conf") << "[Interface]\n"
                                                "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
                                                "Address = 10.5.0.2/24, fd05::2/64\n"
                                                "[Peer]\n"
                                                "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"
                                                "AllowedIPs = 0.0.0.0/0, ::/0\n"
                                                "Endpoint = 192.0.2.9:51820\n";
    ::chmod("/run/profiles/home.conf", 0600);
}

// Runs `up` in a process of its own. Its wait status; exit status 0: up, 1: refused, 9: operation n was not
// reached.
int up_in_child(const std::string& program, int n, Injury injury) {
    const pid_t child = ::fork();
    if (child == 0) {
        Daemon daemon(program, n, injury);
        if (!daemon.recover()) ::_exit(2);
        const bool up = daemon.up().has_value();
        ::_exit(!daemon.injured.reached() ? 9 : up ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

} // namespace

TEST_CASE("up that is killed or fails at any operation leaves the machine as it was") {
    const std::string program = test::datapath_programs().back();
    const Injury injury =
        GENERATE(Injury::kKillBefore, Injury::kKillAfter, Injury::kFailBefore, Injury::kFailAfter);
    const bool kills = injury == Injury::kKillBefore || injury == Injury::kKillAfter;
    test::FreshNamespaces fresh;
    make_machine();
    { Daemon first(program); } // makes /run/wgd
    const std::string before = picture();
    int n = 0;
    for (;; ++n) {
        INFO("operation " << n << ", " << (kills ? "killed" : "failed")
                          << (injury == Injury::kKillAfter || injury == Injury::kFailAfter ? " after"
                                                                                           : " before"));
        const int status = up_in_child(program, n, injury);
        Daemon next(program);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 9) { // the whole plan was run: that was the last n
            REQUIRE(next.recover());
            CHECK(next.manager.tunnel(Daemon::home())->state == control::TunnelState::kUp);
            REQUIRE(next.down());
            CHECK(picture() == before);
            break;
        }
        if (kills) {
            REQUIRE(WIFSIGNALED(status));
            REQUIRE(WTERMSIG(status) == SIGKILL);
            REQUIRE(next.recover());
        } else {
            REQUIRE(WIFEXITED(status));
            REQUIRE(WEXITSTATUS(status) == 1);
        }
        CHECK(next.journal->pending_undo()->empty());
        CHECK(picture() == before);
    }
    CHECK(n >= 10); // link, device, addresses, MTU, up, sysctl, routes, rules
}
