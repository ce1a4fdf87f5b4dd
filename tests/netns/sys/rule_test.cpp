// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "common/model/marks.hpp"
#include "daemon/sys/rtnl_rule.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;
using wgd::test::run_json;

namespace {

plan::Rule not_marked(Family family, std::optional<std::uint32_t> priority) {
    plan::Rule rule;
    rule.family = family;
    rule.priority = priority;
    rule.fwmark = 51820;
    rule.invert = true;
    rule.table = 51820;
    rule.protocol = kRuleProtocol;
    return rule;
}

plan::Rule suppress(Family family, std::optional<std::uint32_t> priority) {
    plan::Rule rule;
    rule.family = family;
    rule.priority = priority;
    rule.table = 254;
    rule.suppress_prefixlength = 0;
    rule.protocol = kRuleProtocol;
    return rule;
}

std::string ip(Family family) {
    return family == Family::kIpv4 ? "ip -4 " : "ip -6 ";
}

} // namespace

TEST_CASE("the rules of a full tunnel are the ones that wg-quick's commands make") {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        test::FreshNamespaces fresh;
        auto socket = NetlinkSocket::open();
        REQUIRE(socket);
        REQUIRE(add_rule(*socket, not_marked(family, std::nullopt)));
        REQUIRE(add_rule(*socket, suppress(family, std::nullopt)));
        const std::string ours = run(ip(family) + "rule");
        const auto detailed = run_json(ip(family) + "-j -d rule");
        CHECK(detailed.at(1).at("protocol") == "199"); // kRuleProtocol has no name

        test::FreshNamespaces again;
        run(ip(family) + "rule add not fwmark 51820 table 51820");
        run(ip(family) + "rule add table main suppress_prefixlength 0");
        std::string theirs = run(ip(family) + "rule");
        std::string without_protocol = ours;
        for (std::size_t at = 0; (at = without_protocol.find(" proto 199")) != std::string::npos;)
            without_protocol.erase(at, 10);
        CHECK(without_protocol == theirs);
        CHECK(theirs.find("not from all fwmark 0xca6c lookup 51820") != std::string::npos);
        CHECK(theirs.find("lookup main suppress_prefixlength 0") != std::string::npos);
    }
}

TEST_CASE("rules are read back as they were written, in the kernel's order") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        REQUIRE(add_rule(*socket, not_marked(family, 32765)));
        REQUIRE(add_rule(*socket, suppress(family, 32764)));
    }
    auto rules = read_rules(*socket);
    REQUIRE(rules);
    std::vector<plan::Rule> ipv4;
    for (const plan::Rule& rule : *rules)
        if (rule.family == Family::kIpv4) ipv4.push_back(rule);
    REQUIRE(ipv4.size() == 5);
    CHECK(ipv4[0].priority == 0U);
    CHECK(ipv4[0].table == 255);
    CHECK(ipv4[0].protocol == 2); // RTPROT_KERNEL
    CHECK(ipv4[1] == suppress(Family::kIpv4, 32764));
    CHECK(ipv4[2] == not_marked(Family::kIpv4, 32765));
    CHECK(ipv4[3].table == 254);
    CHECK_FALSE(ipv4[3].suppress_prefixlength);
    CHECK(std::count(rules->begin(), rules->end(), not_marked(Family::kIpv6, 32765)) == 1);

    SECTION("adding it again changes nothing") {
        CHECK(add_rule(*socket, not_marked(Family::kIpv4, 32765)));
        CHECK(read_rules(*socket)->size() == rules->size());
    }
    SECTION("another's rule with the same meaning and priority stays another's") {
        run("ip rule add pref 100 table main suppress_prefixlength 0 protocol static");
        CHECK(add_rule(*socket, suppress(Family::kIpv4, 100)));
        CHECK(remove_rule(*socket, suppress(Family::kIpv4, 100)));
        CHECK(run_json("ip -j -d rule show pref 100").at(0).at("protocol") == "static");
        CHECK(run_json("ip -j -d rule show pref 100").size() == 1);
    }
    SECTION("two tunnels have the same suppress rule, each its own") {
        CHECK(add_rule(*socket, suppress(Family::kIpv4, 32762)));
        CHECK(remove_rule(*socket, suppress(Family::kIpv4, 32764)));
        auto left = *read_rules(*socket);
        CHECK(std::count(left.begin(), left.end(), suppress(Family::kIpv4, 32762)) == 1);
        CHECK(std::count(left.begin(), left.end(), suppress(Family::kIpv4, 32764)) == 0);
    }
    SECTION("removing leaves look-alikes alone") {
        // The kernel takes the first rule that matches what a delete says; it does not look at "not".
        run("ip rule add pref 200 fwmark 51820 table 51820 protocol 199");
        run("ip rule add pref 201 not fwmark 51820 table 51820 protocol static");
        run("ip rule add pref 202 not fwmark 51820/0xffff table 51820 protocol 199");
        run("ip rule add pref 203 not from 10.0.0.0/8 fwmark 51820 table 51820 protocol 199");
        const auto look_alikes = [] {
            std::string text;
            for (const char* priority : {"200", "201", "202", "203"})
                text += run(std::string("ip -j -d rule show pref ") + priority);
            return text;
        };
        const std::string before = look_alikes();
        CHECK(remove_rule(*socket, not_marked(Family::kIpv4, std::nullopt)));
        CHECK(look_alikes() == before);
        const auto all = run_json("ip -j rule");
        CHECK(std::none_of(all.begin(), all.end(),
                           [](const auto& rule) { return rule.at("priority") == 32765; }));
    }
    SECTION("removing what is gone is success") {
        for (int i = 0; i < 2; ++i) {
            CHECK(remove_rule(*socket, not_marked(Family::kIpv6, 32765)));
            CHECK(remove_rule(*socket, suppress(Family::kIpv6, 32764)));
        }
        CHECK(read_rules(*socket)->size() == rules->size() - 2);
    }
}
