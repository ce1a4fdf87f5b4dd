// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "common/model/marks.hpp"
#include "daemon/sys/rtnl_address.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "daemon/sys/rtnl_route.hpp"
#include "daemon/sys/rtnl_rule.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;
using wgd::test::run_json;

namespace {

plan::Route route(const char* destination, std::uint32_t table = 254, std::uint32_t metric = 0) {
    return {IpPrefix::parse(destination).value(), "mine", table, kRouteProtocol, metric};
}

bool has(NetlinkSocket& socket, const plan::Route& wanted) {
    auto routes = read_routes(socket);
    REQUIRE(routes);
    const std::uint32_t index = link_index(socket, wanted.link).value();
    return std::any_of(routes->begin(), routes->end(), [&](const KernelRoute& r) {
        return r.destination == wanted.destination && r.link_index == index && r.table == wanted.table &&
               r.protocol == wanted.protocol && r.metric == wanted.effective_metric();
    });
}

} // namespace

TEST_CASE("routes are what wg-quick's `ip route add` makes, with our protocol") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip tuntap add mine mode tun && ip link set mine up && ip address add 10.0.0.1/32 dev mine");
    for (const plan::Route& r :
         {route("0.0.0.0/0", 51820), route("::/0", 51820), route("10.7.0.0/16"),
          route("10.8.0.0/24", 254, 50), route("fd07::/48"), route("192.0.2.7/32", 100)}) {
        REQUIRE(add_route(*socket, r));
        CHECK(has(*socket, r));
        CHECK(add_route(*socket, r)); // again
    }
    CHECK(run("ip route show table 51820") == "default dev mine proto 199 scope link linkdown \n");
    CHECK(run("ip -6 route show table 51820") ==
          "default dev mine proto 199 metric 1024 linkdown pref medium\n");
    CHECK(run("ip route show 10.7.0.0/16") == "10.7.0.0/16 dev mine proto 199 scope link linkdown \n");
    CHECK(run("ip route show 10.8.0.0/24") ==
          "10.8.0.0/24 dev mine proto 199 scope link metric 50 linkdown \n");
    CHECK(run("ip -6 route show fd07::/48") ==
          "fd07::/48 dev mine proto 199 metric 1024 linkdown pref medium\n");

    SECTION("removing, twice, takes ours only") {
        run("ip route add 10.7.0.0/16 dev mine metric 7");
        for (int i = 0; i < 2; ++i)
            for (const plan::Route& r : {route("10.7.0.0/16"), route("fd07::/48"), route("::/0", 51820)})
                CHECK(remove_route(*socket, r));
        CHECK_FALSE(has(*socket, route("10.7.0.0/16")));
        CHECK_FALSE(has(*socket, route("fd07::/48")));
        CHECK(run("ip route show 10.7.0.0/16") == "10.7.0.0/16 dev mine scope link metric 7 linkdown \n");
        CHECK(has(*socket, route("0.0.0.0/0", 51820)));
    }
    SECTION("somebody's route in the way is a conflict and stays") {
        run("ip route add 10.9.0.0/16 dev lo");
        run("ip -6 route add fd09::/48 dev mine metric 1024 proto static");
        for (const plan::Route& r : {route("10.9.0.0/16"), route("fd09::/48")}) {
            auto added = add_route(*socket, r);
            REQUIRE_FALSE(added);
            CHECK(added.error().code == ErrorCode::kConflict);
            CHECK(added.error().sys_errno == EEXIST);
        }
        CHECK(run("ip route show 10.9.0.0/16") == "10.9.0.0/16 dev lo scope link \n");
    }
    SECTION("a link that is gone has no routes to remove, and none can be added") {
        run("ip link del mine");
        CHECK(remove_route(*socket, route("10.7.0.0/16")));
        CHECK(add_route(*socket, route("10.7.0.0/16")).error().code == ErrorCode::kNotFound);
    }
}

TEST_CASE("multipath and foreign routes are read, route caches and unreachable ones are not") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip link add name wan1 type veth peer name wan2 && ip link set wan1 up && ip link set wan2 up");
    run("ip address add 192.0.2.1/24 dev wan1 && ip address add 198.51.100.1/24 dev wan2");
    run("ip route add default mtu 1400 nexthop via 192.0.2.9 dev wan1 nexthop via 198.51.100.9 dev wan2");
    run("ip route add unreachable 203.0.113.0/24");
    auto routes = read_routes(*socket);
    REQUIRE(routes);
    std::vector<KernelRoute> defaults;
    for (const KernelRoute& r : *routes) {
        if (r.destination == IpPrefix()) defaults.push_back(r);
        CHECK(r.destination != IpPrefix::parse("203.0.113.0/24"));
    }
    REQUIRE(defaults.size() == 2);
    CHECK(defaults[0].link_index == link_index(*socket, "wan1").value());
    CHECK(defaults[1].link_index == link_index(*socket, "wan2").value());
    CHECK(defaults[0].mtu == 1400);
}

TEST_CASE("the path to an endpoint is looked up with the tunnel's mark, around the tunnel's own rules") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip link add eth type veth peer name far && ip link set eth up && ip link set far up");
    run("ip address add 192.0.2.1/24 dev eth && ip route add default via 192.0.2.254 mtu 1492");
    run("ip tuntap add mine mode tun && ip link set mine up");
    REQUIRE(add_route(*socket, route("0.0.0.0/0", 51820)));
    plan::Rule rule;
    rule.fwmark = 51820;
    rule.invert = true;
    rule.table = 51820;
    REQUIRE(add_rule(*socket, rule));

    const IpAddress endpoint = IpAddress::parse("198.51.100.1").value();
    auto unmarked = look_up_route(*socket, endpoint, 0);
    REQUIRE(unmarked);
    REQUIRE(*unmarked);
    CHECK((*unmarked)->link_index == link_index(*socket, "mine").value());
    auto marked = look_up_route(*socket, endpoint, 51820);
    REQUIRE(marked);
    REQUIRE(*marked);
    CHECK((*marked)->link_index == link_index(*socket, "eth").value());
    CHECK((*marked)->mtu == 1492);
    auto none = look_up_route(*socket, IpAddress::parse("2001:db8::1").value(), 0);
    REQUIRE(none);
    CHECK_FALSE(*none);
    run("ip route add blackhole 198.51.100.0/24 && ip rule add pref 1 fwmark 9 lookup main");
    CHECK_FALSE(*look_up_route(*socket, endpoint, 9));
}

TEST_CASE("ten thousand routes take seconds at most") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip tuntap add mine mode tun && ip link set mine up");
    for (unsigned i = 0; i < 10000; ++i) {
        plan::Route r = route("10.0.0.0/32");
        r.destination =
            IpPrefix::host(IpAddress::v4({10, static_cast<std::uint8_t>(i >> 16),
                                          static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}));
        if (!add_route(*socket, r)) FAIL(i);
    }
    CHECK(read_routes(*socket)->size() >= 10000);
    CHECK(run("ip route show dev mine | wc -l") == "10000\n");
}
