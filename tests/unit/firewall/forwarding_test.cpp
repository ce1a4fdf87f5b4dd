// SPDX-License-Identifier: MIT
// A gateway in the plan: sysctls and what they move along, the table, and what stands in the way.
#include <algorithm>

#include "daemon/plan/firewall.hpp"
#include "daemon/plan/forwarding.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;
using fakes::kPeerA;

namespace {

const std::string kProfile = interface("Address = 10.5.0.1/24, fd05::1/64\nListenPort = 51820\n") +
                             peer(kPeerA, "AllowedIPs = 10.5.0.2/32, fd05::2/128\n");

// A planner's bench whose snapshots have what forwarding needs.
struct GatewayBench : Bench {
    Snapshot look_all() {
        ports::SnapshotScope scope{link, {}, 0, {std::string(kSrcValidMark)}};
        scope.forwarding = true;
        auto snapshot = kernel.read(scope);
        REQUIRE(snapshot);
        return std::move(*snapshot);
    }
    Desired want() {
        auto desired = derive_desired(parsed(kProfile), {}, policy, look_all());
        REQUIRE(desired);
        return std::move(*desired);
    }
    // Up as the daemon does it: what is to go back is remembered.
    void up() {
        const Desired desired = want();
        const Snapshot before = look_all();
        for (const std::string& key : desired.sysctls_needed)
            policy.original_sysctls.emplace(key, before.sysctls.at(key));
        for (const std::string& key : desired.sysctls_moved)
            policy.original_sysctls.emplace(key, before.sysctls.at(key));
        apply(*diff(desired, before));
        CHECK(diff(desired, look_all())->empty());
        CHECK(diff(want(), look_all())->empty());
        policy.owned_mark = desired.mark;
        for (const ReplaceTable& table : desired.tables)
            policy.applied_tables.emplace(table.name, table.transaction);
    }
    void down() { apply(*diff(derive_absent(*ProfileName::parse(link), policy), look_all())); }
};

bool warns(const std::vector<std::string>& warnings, const std::string& what) {
    return std::any_of(warnings.begin(), warnings.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

bool contains(const std::string& text, const std::string& what) {
    return text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("without forward or masquerade nothing of a gateway is wanted") {
    GatewayBench bench;
    const Desired desired = bench.want();
    CHECK(desired.sysctls.empty());
    CHECK(desired.tables.empty());
}

TEST_CASE("forwarding is turned on for both families, and everything goes back that it moved") {
    GatewayBench bench;
    bench.policy.gateway.forward = true;
    // Values that turning the switch on and off again would not leave as they are.
    bench.kernel.set_sysctl(std::string(kAcceptRedirects), "0");
    bench.kernel.set_sysctl("net/ipv4/conf/eth0/forwarding", "1");
    bench.kernel.set_sysctl("net/ipv6/conf/eth0/forwarding", "1");
    const std::string before = bench.kernel.dump();
    bench.up();
    CHECK(bench.kernel.sysctl(std::string(kForwardIpv4)) == "1");
    CHECK(bench.kernel.sysctl(std::string(kForwardIpv6)) == "1");
    bench.down();
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("every step of turning forwarding on can be taken back") {
    GatewayBench bench;
    bench.policy.gateway.forward = true;
    bench.kernel.set_sysctl(std::string(kAcceptRedirects), "0");
    bench.kernel.set_sysctl("net/ipv6/conf/eth0/forwarding", "1");
    bench.kernel.add_advertised_default("eth0");
    const std::string before = bench.kernel.dump();
    const Plan plan = *diff(bench.want(), bench.look_all());
    for (std::size_t n = 1; n <= plan.steps.size(); ++n) {
        for (std::size_t k = 0; k < n; ++k)
            REQUIRE(bench.kernel.apply(plan.steps[k].act));
        for (std::size_t k = n; k-- > 0;)
            for (const Op& op : plan.steps[k].undo)
                REQUIRE(bench.kernel.apply(op));
        CHECK(bench.kernel.dump() == before);
    }
}

TEST_CASE("a machine that forwards already is left as it is") {
    GatewayBench bench;
    bench.policy.gateway.forward = true;
    REQUIRE(bench.kernel.apply(SetSysctl{std::string(kForwardIpv4), "1"}));
    REQUIRE(bench.kernel.apply(SetSysctl{std::string(kForwardIpv6), "1"}));
    const std::string before = bench.kernel.dump();
    const Desired desired = bench.want();
    CHECK(desired.sysctls_moved.empty());
    const Plan plan = *diff(desired, bench.look_all());
    for (const Step& step : plan.steps)
        CHECK_FALSE(std::holds_alternative<SetSysctl>(step.act));
    bench.up();
    bench.down();
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("a link that lives on router advertisements keeps its default route") {
    GatewayBench bench;
    bench.kernel.add_advertised_default("eth0");
    bench.policy.gateway.forward = true;
    const std::string before = bench.kernel.dump();
    bench.up();
    CHECK(bench.kernel.sysctl("net/ipv6/conf/eth0/accept_ra") == "2");
    CHECK(std::any_of(bench.kernel.routes().begin(), bench.kernel.routes().end(), [](const Route& route) {
        return route.destination.is_default() && route.protocol == 9;
    }));
    bench.down();
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("without IPv6 only IPv4 is forwarded") {
    GatewayBench bench;
    bench.kernel.set_ipv6(false);
    bench.policy.gateway.forward = true;
    const Desired desired = bench.want();
    CHECK(desired.sysctls.count(std::string(kForwardIpv4)) == 1);
    CHECK(desired.sysctls.count(std::string(kForwardIpv6)) == 0);
}

TEST_CASE("a sysctl that cannot be written here is named, and the rest is done") {
    GatewayBench bench;
    bench.policy.gateway.forward = true;
    bench.kernel.set_read_only(std::string(kForwardIpv4));
    const Plan plan = *diff(bench.want(), bench.look_all());
    CHECK(warns(plan.warnings, "net/ipv4/ip_forward cannot be set to 1"));
    CHECK(warns(plan.warnings, "read-only"));
    bench.apply(plan);
    CHECK(bench.kernel.sysctl(std::string(kForwardIpv6)) == "1");
}

TEST_CASE("masquerading forwards, and gives nobody a port that this machine listens on") {
    GatewayBench bench;
    bench.policy.gateway.masquerade = true;
    const Desired desired = bench.want();
    CHECK(desired.sysctls.at(std::string(kForwardIpv4)) == "1");
    REQUIRE(desired.tables.size() == 1);
    const std::string& rules = desired.tables.front().transaction;
    CHECK(contains(rules, "iifname \"wg0\" oifname != \"wg0\" meta l4proto { tcp, udp } th sport { 0-32767, "
                          "51820 } masquerade to :61000-65535"));
    CHECK(contains(rules, "iifname \"wg0\" oifname != \"wg0\" masquerade\n"));

    bench.policy.gateway.masquerade_out = "eth0";
    CHECK(contains(bench.want().tables.front().transaction, "iifname \"wg0\" oifname \"eth0\" masquerade\n"));
}

TEST_CASE("the ports for masqueraded packets leave out the ones tunnels listen on") {
    TunnelTable table;
    table.link = "wg0";
    table.masquerade = true;
    const auto range_with = [&](std::set<std::uint16_t> ports) {
        table.listen_ports = std::move(ports);
        const std::string text = render(table).transaction;
        const std::string marker = "masquerade to :";
        const auto at = text.find(marker) + marker.size();
        return text.substr(at, text.find('\n', at) - at);
    };
    CHECK(range_with({}) == "61000-65535");
    CHECK(range_with({61000}) == "61001-65535");
    CHECK(range_with({65535}) == "61000-65534");
    CHECK(range_with({62000}) == "62001-65535");
    CHECK(range_with({62000, 65000}) == "62001-64999");
    CHECK(range_with({80, 51820}) == "61000-65535");
}

TEST_CASE("mss_clamp and isolate_peers make a table, also without forwarding") {
    GatewayBench bench;
    bench.policy.gateway.mss_clamp = bench.policy.gateway.isolate_peers = true;
    const Desired desired = bench.want();
    CHECK(desired.sysctls.empty());
    REQUIRE(desired.tables.size() == 1);
    CHECK(contains(desired.tables.front().transaction, "iifname \"wg0\" oifname \"wg0\" drop"));
    CHECK(contains(desired.tables.front().transaction, "tcp option maxseg size set rt mtu"));
}

TEST_CASE("without nftables each part of a gateway that is missing is named") {
    GatewayBench bench;
    bench.kernel.set_nftables("nftables cannot be used here: Operation not supported");
    bench.policy.gateway = {true, true, "", true, true};
    const Desired desired = bench.want();
    CHECK(desired.tables.empty());
    CHECK(warns(desired.warnings, "without masquerading"));
    CHECK(warns(desired.warnings, "without mss_clamp"));
    CHECK(warns(desired.warnings, "without isolate_peers"));
    CHECK(desired.sysctls.at(std::string(kForwardIpv4)) == "1");
}

TEST_CASE("a firewall that drops what is forwarded is named with what to do about it") {
    GatewayBench bench;
    bench.policy.gateway.forward = true;
    bench.kernel.add_barrier({ForwardBarrier::Owner::kDocker, "table ip filter, chain FORWARD"});
    bench.kernel.add_barrier({ForwardBarrier::Owner::kUfw, "table ip filter, chain FORWARD"});
    bench.kernel.add_barrier(
        {ForwardBarrier::Owner::kFirewalld, "table inet firewalld, chain filter_FORWARD"});
    bench.kernel.add_barrier({ForwardBarrier::Owner::kOther, "table inet mine, chain fwd"});
    const auto warnings = bench.want().warnings;
    CHECK(warns(warnings, "iptables -I DOCKER-USER -i wg0 -j ACCEPT"));
    CHECK(warns(warnings, "ufw route allow in on wg0"));
    CHECK(warns(warnings, "firewall-cmd --permanent --zone=trusted --add-interface=wg0"));
    CHECK(warns(warnings, "table inet mine, chain fwd"));
}
