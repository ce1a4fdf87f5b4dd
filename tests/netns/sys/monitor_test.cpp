// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <fstream>

#include "common/model/marks.hpp"
#include "daemon/sys/monitor.hpp"
#include "daemon/sys/rtnl_address.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "daemon/sys/rtnl_route.hpp"
#include "daemon/sys/rtnl_rule.hpp"
#include "tests/netns/sys/loop_runner.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;

namespace {

struct Observer final : ports::WorldObserver {
    int changes = 0;
    std::vector<std::string> gone;
    int changes_elsewhere = 0;
    void on_world_changed() override { ++changes; }
    void on_other_namespace_changed() override { ++changes_elsewhere; }
    void on_dns_changed() override {}
    void on_link_gone(const std::string& link) override { gone.push_back(link); }
    void on_datapath_exit(const std::string&, const std::string&) override {}
};

struct Watched {
    test::FreshNamespaces fresh;
    test::LoopRunner runner;
    NetlinkSocket netlink = NetlinkSocket::open().value();
    DatapathProcesses datapaths{runner.loop(), {}};
    std::unique_ptr<NetlinkMonitor> monitor;
    Observer observer;

    Watched() {
        run("ip tuntap add mine mode tun && ip link set mine up");
        run("ip tuntap add other mode tun && ip link set other up");
        monitor = std::move(NetlinkMonitor::create(runner.loop(), netlink, datapaths)).value();
        monitor->set_observer(&observer);
    }
    // Runs the command; true if that is reported as one change.
    bool noticed(const std::string& command) {
        const int before = observer.changes;
        run(command);
        runner.until([&] { return observer.changes > before; });
        return observer.changes == before + 1;
    }
};

} // namespace

TEST_CASE("changes by others are reported, once for what comes together") {
    Watched watched;
    for (const char* command : {
             "ip address add 10.5.0.2/24 dev mine",
             "ip -6 address add fd05::2/64 dev mine nodad",
             "ip route add 10.7.0.0/16 dev mine",
             "ip -6 route add fd07::/48 dev mine",
             "ip route flush dev mine proto boot",
             "ip rule add pref 7 fwmark 1 table 7",
             "ip -6 rule add pref 7 fwmark 1 table 7",
             "ip rule del pref 7",
             "ip address del 10.5.0.2/24 dev mine",
             "ip link set mine mtu 1300",
             "ip link set mine down",
         }) {
        INFO(command);
        CHECK(watched.noticed(command));
    }
    CHECK(watched.observer.gone.empty());
}

TEST_CASE("a link that goes or changes its name is gone") {
    Watched watched;
    run("ip link del mine");
    watched.runner.until([&] { return !watched.observer.gone.empty(); });
    CHECK(watched.observer.gone == std::vector<std::string>{"mine"});
    watched.observer.gone.clear();
    run("ip link set other name another");
    watched.runner.until([&] { return !watched.observer.gone.empty(); });
    CHECK(watched.observer.gone == std::vector<std::string>{"other"});
    watched.observer.gone.clear();
    run("ip link add name later type veth peer name laterpeer");
    watched.runner.until([&] { return watched.observer.changes > 0; });
    run("ip link del later");
    watched.runner.until([&] { return watched.observer.gone.size() == 2; });
}

TEST_CASE("what we did ourselves is not reported") {
    Watched watched;
    plan::Rule rule;
    rule.table = 77;
    rule.priority = 77;
    rule.protocol = kRuleProtocol;
    REQUIRE(add_rule(watched.netlink, rule));
    REQUIRE(
        add_route(watched.netlink, {IpPrefix::parse("10.7.0.0/16").value(), "mine", 254, kRouteProtocol, 0}));
    REQUIRE(
        add_route(watched.netlink, {IpPrefix::parse("fd07::/48").value(), "mine", 254, kRouteProtocol, 0}));
    bool quiet = false;
    auto timer = watched.runner.loop().add_timer(4 * NetlinkMonitor::kQuietTime, [&] { quiet = true; });
    watched.runner.until([&] { return quiet; });
    CHECK(watched.observer.changes == 0);
}

TEST_CASE("when announcements were lost, everything counts as changed and missing links are noticed") {
    Watched watched;
    run("ip link add name victim type veth peer name victimpeer");
    watched.runner.until([&] { return watched.observer.changes > 0; });
    watched.observer.changes = 0;
    // More announcements than the receive buffer holds, unread; among them the end of a link.
    {
        std::ofstream batch("/run/batch");
        for (int i = 0; i < 30000; ++i)
            batch << "route add 10.200." << i / 256 << "." << i % 256 << "/32 dev other\n";
    }
    run("ip -batch /run/batch");
    run("ip link del victim");
    watched.runner.until([&] { return watched.observer.changes > 0 && watched.observer.gone.size() == 2; });
    CHECK(std::count(watched.observer.gone.begin(), watched.observer.gone.end(), "victim") == 1);
}
