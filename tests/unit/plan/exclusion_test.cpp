// SPDX-License-Identifier: MIT
// Exceptions from a full tunnel: what they become, and that they come and go with the tunnel.
#include <algorithm>

#include "daemon/plan/exclusion.hpp"
#include "daemon/plan/op_json.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;
using fakes::kPeerA;

namespace {

std::vector<IpPrefix> ranges(std::initializer_list<const char*> texts) {
    std::vector<IpPrefix> list;
    for (const char* text : texts)
        list.push_back(*IpPrefix::parse(text));
    return list;
}

std::string full(const std::string& more = "", const std::string& allowed = "0.0.0.0/0, ::/0") {
    return interface("Address = 10.5.0.2/32, fd05::2/128\n" + more) +
           peer(kPeerA, "Endpoint = 198.51.100.7:51820\nAllowedIPs = " + allowed + "\n");
}

bool has(const Plan& plan, const std::string& line) {
    const auto lines = texts(plan);
    return std::find(lines.begin(), lines.end(), line) != lines.end();
}

std::size_t throws(const Bench& bench) {
    return static_cast<std::size_t>(
        std::count_if(bench.kernel.routes().begin(), bench.kernel.routes().end(),
                      [](const Route& route) { return route.type == RouteType::kThrow; }));
}

} // namespace

TEST_CASE("an excluded range is a throw in the tunnel's table, there before the rules are") {
    Bench bench;
    const std::string before = bench.kernel.dump();
    bench.policy.exclude = ranges({"192.168.0.0/16", "192.168.7.0/24", "fc00::/7", "192.168.0.0/16"});
    const Plan plan = bench.converge(full());
    const auto lines = texts(plan);
    const auto at = [&](const std::string& line) {
        const auto found = std::find(lines.begin(), lines.end(), line);
        REQUIRE(found != lines.end());
        return found - lines.begin();
    };
    const auto thrown = at("ip -4 route add throw 192.168.0.0/16 table 51820 proto 199");
    CHECK(thrown < at("ip -4 rule add not fwmark 0xca6c table 51820 priority 32765 protocol 199"));
    CHECK(at("ip -6 route add throw fc00::/7 table 51820 proto 199") <
          at("ip -6 rule add not fwmark 0xca6c table 51820 priority 32765 protocol 199"));
    CHECK(throws(bench) == 2); // each once, and none within another
    // It hangs on no link: it has an undo of its own.
    REQUIRE(plan.steps[static_cast<std::size_t>(thrown)].undo.size() == 1);
    CHECK(describe(plan.steps[static_cast<std::size_t>(thrown)].undo[0]) ==
          "ip -4 route delete throw 192.168.0.0/16 table 51820 proto 199");
    CHECK(bench.steps(bench.derive(full())).empty());

    bench.remove();
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("exceptions of one address family only where that family is tunnelled") {
    Bench bench;
    bench.policy.exclude = lan_ranges();
    bench.converge(full("", "0.0.0.0/0"));
    for (const Route& route : bench.kernel.routes())
        if (route.type == RouteType::kThrow) CHECK(route.destination.family() == Family::kIpv4);
    CHECK(throws(bench) == 7);
}

TEST_CASE("what is excluded changes with a reload, and goes when the tunnel is no longer a full one") {
    Bench bench;
    bench.policy.exclude = ranges({"192.168.0.0/16", "198.18.0.0/15"});
    bench.converge(full());
    bench.policy.exclude = ranges({"198.18.0.0/15", "203.0.113.0/24"});
    const Plan plan = bench.converge(full());
    CHECK(texts(plan) ==
          std::vector<std::string>{"ip -4 route add throw 203.0.113.0/24 table 51820 proto 199",
                                   "ip -4 route delete throw 192.168.0.0/16 table 51820 proto 199"});
    bench.converge(full("", "10.8.0.0/16"));
    CHECK(throws(bench) == 0);
}

TEST_CASE("the link was deleted by somebody else: what it left goes with down") {
    Bench bench;
    const std::string before = bench.kernel.dump();
    bench.policy.exclude = ranges({"192.168.0.0/16"});
    bench.converge(full());
    bench.kernel.delete_link("wg0");
    CHECK(throws(bench) == 1);
    bench.remove();
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("somebody else's throw, and another tunnel's, are left alone") {
    Bench bench;
    const Route foreign{*IpPrefix::parse("192.168.0.0/16"), "", 77, 4, 0, RouteType::kThrow};
    const Route others{*IpPrefix::parse("192.168.0.0/16"), "", 51821, 199, 0, RouteType::kThrow};
    REQUIRE(bench.kernel.apply(AddRoute{foreign}));
    REQUIRE(bench.kernel.apply(AddRoute{others}));
    bench.policy.exclude = ranges({"192.168.0.0/16"});
    bench.converge(full());
    CHECK(throws(bench) == 3);
    bench.remove();
    CHECK(throws(bench) == 2);
}

TEST_CASE("the tunnel's DNS servers stay inside an excluded range") {
    Bench bench;
    bench.policy.exclude = lan_ranges();
    const Plan plan = bench.converge(full("DNS = 10.64.0.1, 192.0.2.53, fd05::1\n"));
    CHECK(has(plan, "ip -4 route add 10.64.0.1/32 dev wg0 table 51820 proto 199"));
    CHECK(has(plan, "ip -6 route add fd05::1/128 dev wg0 table 51820 proto 199"));
    CHECK_FALSE(has(plan, "ip -4 route add 192.0.2.53/32 dev wg0 table 51820 proto 199")); // not excluded
    CHECK(bench.steps(bench.derive(full("DNS = 10.64.0.1, 192.0.2.53, fd05::1\n"))).empty());
}

TEST_CASE("allowed IPs that are more to the point than /0 stay inside, and it is said when that is in vain") {
    Bench bench;
    bench.policy.exclude = ranges({"10.1.0.0/16"});
    CHECK(bench.derive(full("", "0.0.0.0/0, 10.1.2.0/24")).warnings.empty());
    const auto holding = bench.derive(full("", "0.0.0.0/0, 10.0.0.0/8")).warnings;
    REQUIRE(holding.size() == 1);
    CHECK(holding[0].find("10.1.0.0/16 goes through the tunnel although it is excluded: 10.0.0.0/8") == 0);
    const auto halves = bench.derive(full("", "0.0.0.0/1, 128.0.0.0/1")).warnings;
    REQUIRE(halves.size() == 1);
    CHECK(halves[0].find("0.0.0.0/1") != std::string::npos);
    CHECK(bench.derive(full("Table = 77\n")).warnings.size() == 1);
    CHECK(bench.derive(full("Table = off\n")).warnings.empty());
}

TEST_CASE("a throw survives the undo log") {
    const Route route{*IpPrefix::parse("192.168.0.0/16"), "", 51820, 199, 0, RouteType::kThrow};
    const auto ops = ops_from_json(ops_to_json({RemoveRoute{route}}));
    REQUIRE(ops);
    CHECK(std::get<RemoveRoute>(ops->front()).route == route);
}
