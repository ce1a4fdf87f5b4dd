// SPDX-License-Identifier: MIT
// The kill switch's table as text: what is listed, in which order. What it does to packets is tests/attacks'.
#include <catch2/catch.hpp>

#include "daemon/plan/lock.hpp"

using namespace wgd;
using namespace wgd::plan;

namespace {

LockedTunnel tunnel(const std::string& link, const std::vector<std::string>& excluded = {}) {
    LockedTunnel locked;
    locked.link = link;
    locked.fwmark = 0xca6c;
    for (const std::string& range : excluded)
        locked.excluded.push_back(*IpPrefix::parse(range));
    return locked;
}

// The rules of one chain.
std::string chain(const LockTable& table, const std::string& name) {
    const std::string text = render(table).transaction;
    const std::size_t begin = text.find("chain " + name + " {");
    REQUIRE(begin != std::string::npos);
    return text.substr(begin, text.find("    }\n", begin) - begin);
}

constexpr const char* kNoNames = "meta l4proto { tcp, udp } th dport { 53, 853 } drop";

} // namespace

TEST_CASE("lock: nothing but the necessary leaves when nothing is excluded") {
    const std::string leaving = chain({{tunnel("home")}, false}, "leaving");
    CHECK(leaving.find("policy drop") != std::string::npos);
    CHECK(leaving.find(kNoNames) == std::string::npos); // the last rule does it
    CHECK(leaving.find("192.168.0.0/16") == std::string::npos);
}

TEST_CASE("lock: every chain ends with a drop, for the policy comes late when a table is replaced") {
    for (const LockTable& table : {LockTable{}, LockTable{{tunnel("home", {"203.0.113.0/24"})}, true}})
        for (const char* name : {"leaving", "entering", "passing"}) {
            const std::string rules = chain(table, name);
            CHECK(rules.substr(rules.rfind("\n", rules.size() - 2) + 1) == "        drop\n");
        }
}

TEST_CASE("lock: no name is asked in an excluded range or on the local network") {
    for (const LockTable& table : {LockTable{{tunnel("home", {"203.0.113.0/24", "fd44::/64"})}, false},
                                   LockTable{{tunnel("home")}, true}}) {
        const std::string leaving = chain(table, "leaving");
        const std::size_t dropped = leaving.find(kNoNames);
        REQUIRE(dropped != std::string::npos);
        CHECK(leaving.find("ip daddr {", dropped) != std::string::npos);
        CHECK(leaving.rfind("ip daddr {") > dropped);
        CHECK(leaving.rfind("ip6 daddr {") > dropped);
        CHECK(chain(table, "entering").find("ip saddr {") != std::string::npos);
    }
}

TEST_CASE("lock: what one tunnel excludes is nothing against another tunnel's inside") {
    const std::string leaving =
        chain({{tunnel("away", {"203.0.113.0/24"}), tunnel("home")}, false}, "leaving");
    CHECK(leaving.find("oifname \"home\" accept") < leaving.find(kNoNames));
}

TEST_CASE("lock: ranges that hold each other are one element") {
    LockTable table{{tunnel("a", {"10.0.0.0/8", "10.1.0.0/16"}), tunnel("b", {"10.0.0.0/8"})}, false};
    CHECK(chain(table, "leaving").find("ip daddr { 10.0.0.0/8 } accept") != std::string::npos);
    table.allow_lan = true;
    CHECK(chain(table, "leaving").find("10.1.0.0/16") == std::string::npos);
}
