// SPDX-License-Identifier: MIT
// What a profile means (wg-quick(8); compat.md C5, C6), and the defects of C14 that it does not have here.
#include <algorithm>

#include "common/model/marks.hpp"
#include "daemon/plan/mtu.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;
using fakes::kPeerA;
using fakes::kPeerB;

namespace {

std::vector<std::string> destinations(const Desired& desired, std::uint32_t table = kMainTable) {
    std::vector<std::string> list;
    for (const Route& route : desired.routes)
        if (route.table == table) list.push_back(route.destination.to_string());
    return list;
}

bool warns(const Desired& desired, const std::string& what) {
    return std::any_of(desired.warnings.begin(), desired.warnings.end(),
                       [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

} // namespace

TEST_CASE("the full tunnel of the reference (compat.md C6)") {
    Bench bench;
    const Desired desired =
        bench.derive(interface("Address = 10.5.0.2/24, 10.6.0.1, fd05::2/64\n") +
                     peer(kPeerA, "AllowedIPs = 0.0.0.0/0, ::/0, 10.7.0.0/16, 10.5.0.0/24, 10.5.0.77/32\n"));
    CHECK(desired.alias == "wgd:wg0");
    CHECK(desired.mark == 51820U);
    CHECK(desired.device->fwmark == 51820U);
    // 10.5.0.0/24 and 10.5.0.77/32 are covered by the address's own route.
    CHECK(destinations(desired) == std::vector<std::string>{"10.7.0.0/16"});
    CHECK(destinations(desired, 51820) == std::vector<std::string>{"0.0.0.0/0", "::/0"});
    REQUIRE(desired.rules.size() == 4);
    for (const Rule& rule : desired.rules) {
        CHECK(rule.protocol == kRuleProtocol);
        if (rule.suppress_prefixlength) {
            CHECK(rule.priority == 32764U);
            CHECK(rule.table == kMainTable);
            CHECK(rule.suppress_prefixlength == 0U);
        } else {
            CHECK(rule.priority == 32765U);
            CHECK(rule.invert);
            CHECK(rule.fwmark == 51820U);
            CHECK(rule.table == 51820);
        }
    }
    CHECK(desired.sysctls.at(std::string(kSrcValidMark)) == "1");
    CHECK(std::all_of(desired.routes.begin(), desired.routes.end(),
                      [](const Route& r) { return r.protocol == kRouteProtocol; }));
}

TEST_CASE("a full tunnel of one family needs the rules of that family only") {
    Bench bench;
    const Desired four = bench.derive(interface() + peer(kPeerA, "AllowedIPs = 0.0.0.0/0\n"));
    CHECK(four.rules.size() == 2);
    CHECK(four.sysctls.size() == 1);
    const Desired six = bench.derive(interface() + peer(kPeerA, "AllowedIPs = ::/0\n"));
    CHECK(six.rules.size() == 2);
    CHECK(six.rules.front().family == Family::kIpv6);
    CHECK(six.sysctls.empty());
}

TEST_CASE("two halves do not make a full tunnel") {
    Bench bench;
    const Desired desired =
        bench.derive(interface() + peer(kPeerA, "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1\n"));
    CHECK_FALSE(desired.mark);
    CHECK(desired.rules.empty());
    CHECK(desired.sysctls.empty());
    CHECK(destinations(desired).size() == 4);
    CHECK_FALSE(desired.device->fwmark); // whoever sets one in a hook keeps it
}

TEST_CASE("routes: longest prefix first, each once") {
    Bench bench;
    const Desired desired =
        bench.derive(interface() + peer(kPeerA, "AllowedIPs = 10.0.0.0/8, 10.1.2.3/32, 10.1.0.0/16\n") +
                     peer(kPeerB, "AllowedIPs = 10.1.0.0/16, fd00::/48, 10.1.2.0/24\n"));
    CHECK(destinations(desired) ==
          std::vector<std::string>{"fd00::/48", "10.1.2.3/32", "10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8"});
    CHECK(warns(desired, "10.1.0.0/16 is in the AllowedIPs of two peers"));
    CHECK(desired.device->peers[0].allowed_ips.size() == 2);
    CHECK(desired.device->peers[1].allowed_ips.size() == 3);
}

TEST_CASE("an IPv4 /32 covers nothing, an IPv6 /128 covers itself") {
    Bench bench;
    const Desired desired = bench.derive(interface("Address = 10.1.1.1/32, fd00::1/128\n") +
                                         peer(kPeerA, "AllowedIPs = 10.1.1.1/32, fd00::1/128\n"));
    CHECK(destinations(desired) == std::vector<std::string>{"10.1.1.1/32"});
}

TEST_CASE("Table =") {
    Bench bench;
    const std::string with_default = peer(kPeerA, "AllowedIPs = 0.0.0.0/0, 10.1.0.0/16\n");
    SECTION("off") {
        const Desired desired = bench.derive(interface("Table = off\n") + with_default);
        CHECK(desired.routes.empty());
        CHECK(desired.rules.empty());
        CHECK_FALSE(desired.mark);
    }
    SECTION("a number: every route, nothing more, covered or not") {
        const Desired desired = bench.derive(interface("Address = 10.1.0.1/16\nTable = 77\n") + with_default);
        CHECK(destinations(desired, 77) == std::vector<std::string>{"10.1.0.0/16", "0.0.0.0/0"});
        CHECK(desired.routes.size() == 2);
        CHECK(desired.rules.empty());
        CHECK(desired.sysctls.empty());
    }
    SECTION("a name") {
        bench.kernel.add_table_name("vpn", 200);
        CHECK(destinations(bench.derive(interface("Table = vpn\n") + with_default), 200).size() == 2);
        CHECK(destinations(bench.derive(interface("Table = main\n") + with_default)).size() == 2);
    }
    SECTION("a name that is none") {
        const auto desired = bench.try_derive(interface("Table = nosuch\n") + with_default);
        REQUIRE_FALSE(desired);
        CHECK(desired.error().code == ErrorCode::kParse);
        CHECK(desired.error().message.find("'nosuch'") != std::string::npos);
    }
}

TEST_CASE("FwMark =") {
    Bench bench;
    const std::string full = peer(kPeerA, "AllowedIPs = 0.0.0.0/0\n");
    CHECK(bench.derive(interface("FwMark = 0x1234\n") + full).mark == 0x1234U);
    CHECK(bench.derive(interface("FwMark = off\n") + full).mark ==
          51820U); // wg-quick: no mark, so an automatic one
    const Desired split =
        bench.derive(interface("FwMark = 0x1234\n") + peer(kPeerA, "AllowedIPs = 10.0.0.0/8\n"));
    CHECK(split.device->fwmark == 0x1234U);
    CHECK_FALSE(split.mark);
    CHECK(bench.derive(interface("FwMark = off\n") + peer(kPeerA, "")).device->fwmark == 0U);
}

TEST_CASE("a mark is free only if nobody uses it, as mark or as table") {
    Bench bench;
    const auto allocated = [&] { return *allocate_mark(bench.look()); };
    CHECK(allocated() == 51820);
    bench.kernel.add_route("10.99.0.0/16", "eth0", 51820);
    CHECK(allocated() == 51821);
    Rule rule;
    rule.fwmark = 51821;
    rule.table = 100;
    rule.priority = 100;
    bench.kernel.add_rule(rule);
    CHECK(allocated() == 51822);
    rule.family = Family::kIpv6;
    rule.fwmark.reset();
    rule.table = 51822;
    bench.kernel.add_rule(rule);
    CHECK(allocated() == 51823);
    bench.kernel.add_link("wg9", 1420, "wireguard");
    bench.kernel.device("wg9")->fwmark = 51823;
    CHECK(allocated() == 51824);
    bench.kernel.add_table_name("corp", 51824);
    CHECK(allocated() == 51825);
    Snapshot snapshot = bench.look();
    snapshot.marks_in_use.insert(51825); // a tunnel of ours that is still coming up
    CHECK(*allocate_mark(snapshot) == 51826);
    for (std::uint32_t mark = kFirstAutoMark; mark <= kLastAutoMark; ++mark)
        snapshot.marks_in_use.insert(mark);
    REQUIRE_FALSE(allocate_mark(snapshot));
    CHECK(allocate_mark(snapshot).error().code == ErrorCode::kUnsupported);
}

TEST_CASE("rules go before all others, or it is a conflict") {
    Bench bench;
    Rule rule;
    rule.table = 100;
    rule.priority = 50;
    bench.kernel.add_rule(rule);
    const std::string full = interface() + peer(kPeerA, "AllowedIPs = 0.0.0.0/0\n");
    for (const Rule& ours : bench.derive(full).rules)
        CHECK(*ours.priority < 50);
    rule.priority = 2;
    bench.kernel.add_rule(rule);
    const auto desired = bench.try_derive(full);
    REQUIRE_FALSE(desired);
    CHECK(desired.error().code == ErrorCode::kConflict);
}

// ---- MTU

TEST_CASE("the MTU is what the smallest path to an endpoint leaves over") {
    Bench bench;
    bench.kernel.add_link("ppp0", 1492);
    bench.kernel.add_route("198.51.100.0/24", "ppp0");
    const std::string a = peer(kPeerA, "Endpoint = 198.51.100.7:1\nAllowedIPs = 10.1.0.1/32\n");
    const std::string b = peer(kPeerB, "Endpoint = 203.0.113.7:1\nAllowedIPs = 10.1.0.2/32\n");
    // The fixture looks paths up for what is in `endpoints`.
    bench.endpoints[*PublicKey::from_base64(kPeerB)] = *Endpoint::parse("203.0.113.7:1");
    CHECK(bench.derive(interface() + b).mtu == 1420);
    bench.endpoints[*PublicKey::from_base64(kPeerA)] = *Endpoint::parse("198.51.100.7:1");
    CHECK(bench.derive(interface() + a + b).mtu == 1412);
    CHECK(bench.derive(interface("MTU = 1300\n") + a + b).mtu == 1300);
}

TEST_CASE("without an endpoint the MTU is the default route's, without that Ethernet's") {
    std::vector<std::string> warnings;
    Snapshot snapshot;
    CHECK(derive_mtu(snapshot, "wg0", true, warnings) == 1420);
    snapshot.default_path = EndpointPath{{}, "eth0", 9000};
    CHECK(derive_mtu(snapshot, "wg0", true, warnings) == 8920);
    snapshot.default_path = EndpointPath{{}, "wg0", 1420}; // our own
    CHECK(derive_mtu(snapshot, "wg0", true, warnings) == 1420);
    snapshot.endpoint_paths = {{{}, "lo", 65536}};
    CHECK(derive_mtu(snapshot, "wg0", true, warnings) == 65455); // the most the link takes
    CHECK(warnings.empty());
}

TEST_CASE("IPv6 in the tunnel keeps the MTU at 1280") {
    std::vector<std::string> warnings;
    Snapshot snapshot;
    snapshot.endpoint_paths = {{{}, "ppp0", 1340}};
    CHECK(derive_mtu(snapshot, "wg0", false, warnings) == 1260);
    CHECK(warnings.empty());
    CHECK(derive_mtu(snapshot, "wg0", true, warnings) == 1280);
    CHECK(warnings.size() == 1);
    snapshot.endpoint_paths = {{{}, "ppp0", 40}};
    CHECK(derive_mtu(snapshot, "wg0", false, warnings) == 576);
}

// ---- IPv6 that cannot be used (D7)

TEST_CASE("a system without IPv6 gets the IPv4 of a profile, and a warning") {
    Bench bench;
    bench.kernel.set_ipv6(false);
    const Desired desired = bench.derive(interface("Address = 10.1.0.1/24, fd00::1/64\n") +
                                         peer(kPeerA, "AllowedIPs = 0.0.0.0/0, ::/0, fd01::/48\n"));
    CHECK(desired.addresses.size() == 1);
    CHECK(desired.routes.size() == 1);
    CHECK(desired.rules.size() == 2);
    CHECK(desired.device->peers[0].allowed_ips.size() == 3); // the device does not mind
    REQUIRE(desired.warnings.size() == 1);
    CHECK(warns(desired, "IPv6 is disabled"));

    const auto only =
        bench.try_derive(interface("Address = fd00::1/64\n") + peer(kPeerA, "AllowedIPs = ::/0\n"));
    REQUIRE_FALSE(only);
    CHECK(only.error().code == ErrorCode::kUnsupported);
}

TEST_CASE("an MTU given too small for IPv6 leaves IPv6 out") {
    Bench bench;
    const Desired desired = bench.derive(interface("MTU = 1200\nAddress = 10.1.0.1/24, fd00::1/64\n") +
                                         peer(kPeerA, "AllowedIPs = fd01::/48\n"));
    CHECK(desired.mtu == 1200);
    CHECK(desired.addresses.size() == 1);
    CHECK(desired.routes.empty());
    CHECK(warns(desired, "less than the 1280"));
}

// ---- the device

TEST_CASE("what the profile does not say about the device is not ours to say (D2)") {
    Bench bench;
    const Desired desired = bench.derive("[Interface]\n" + peer(kPeerA, "AllowedIPs = 10.0.0.1/32\n"));
    CHECK_FALSE(desired.device->private_key);
    CHECK_FALSE(desired.device->listen_port);
    CHECK_FALSE(desired.device->fwmark);
    CHECK_FALSE(desired.device->peers[0].endpoint);
}

TEST_CASE("a peer with the tunnel's own key is left out") {
    Bench bench;
    const std::string own = derive_public_key(*PrivateKey::from_base64(fakes::kPrivateKey)).to_base64();
    const Desired desired = bench.derive(interface() + peer(own, "AllowedIPs = 10.0.0.1/32\n"));
    CHECK(desired.device->peers.empty());
    CHECK(desired.routes.empty());
    CHECK(warns(desired, "own key"));
}

TEST_CASE("incremental allowed IPs begin with what the running peer has") {
    Bench bench;
    const std::string increments = interface() + peer(kPeerA, "AllowedIPs = +10.3.0.0/16, -10.1.0.0/16\n");
    CHECK(destinations(bench.derive(increments)) == std::vector<std::string>{"10.3.0.0/16"});
    bench.converge(interface() + peer(kPeerA, "AllowedIPs = 10.1.0.0/16, 10.2.0.0/16\n"));
    CHECK(destinations(bench.derive(increments)) == std::vector<std::string>{"10.2.0.0/16", "10.3.0.0/16"});
}

TEST_CASE("an address written twice is one address") {
    Bench bench;
    CHECK(bench.derive(interface("Address = 10.1.0.1/24, 10.1.0.1/24, 10.1.0.1/25\n")).addresses.size() == 2);
}

TEST_CASE("a name that is taken is a conflict that says by what") {
    Bench bench;
    bench.kernel.add_link("wg0", 1500, "dummy");
    const auto desired = bench.try_derive(interface());
    REQUIRE_FALSE(desired);
    CHECK(desired.error().code == ErrorCode::kConflict);
    CHECK(desired.error().message.find("kind dummy") != std::string::npos);
}
