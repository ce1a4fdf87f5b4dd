// SPDX-License-Identifier: MIT
// "ifb" stands for "wireguard" where the kind does not matter: every kernel these tests run on has it.
#include <catch2/catch.hpp>

#include "common/model/marks.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;
using wgd::test::run_json;

TEST_CASE("links are created with their mark, changed and deleted by name") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);

    REQUIRE(create_link(*socket, "home", "ifb", "wgd:home"));
    auto shown = run_json("ip -j -d link show dev home").at(0);
    CHECK(shown.at("ifalias") == "wgd:home");
    CHECK(shown.at("linkinfo").at("info_kind") == "ifb");
    CHECK(shown.at("group") == "default"); // the unfinished group is gone again

    REQUIRE(set_link_mtu(*socket, "home", 1380));
    REQUIRE(set_link_up(*socket, "home", true));
    auto link = find_link(*socket, "home");
    REQUIRE(link);
    REQUIRE(*link);
    CHECK((*link)->name == "home");
    CHECK((*link)->kind == "ifb");
    CHECK((*link)->alias == "wgd:home");
    CHECK((*link)->mtu == 1380);
    CHECK((*link)->up);
    CHECK((*link)->is_ours());
    REQUIRE(set_link_up(*socket, "home", false));
    CHECK_FALSE((*find_link(*socket, "home"))->up);

    SECTION("creating it again is success with the same mark, a conflict with another") {
        CHECK(create_link(*socket, "home", "ifb", "wgd:home"));
        auto other = create_link(*socket, "home", "ifb", "wgd:other");
        REQUIRE_FALSE(other);
        CHECK(other.error().code == ErrorCode::kConflict);
        CHECK(run_json("ip -j link show dev home").at(0).at("ifalias") == "wgd:home");
    }
    SECTION("somebody else's link of the name is a conflict and stays as it is") {
        run("ip link add theirs type ifb");
        const std::string before = run("ip -d link show dev theirs");
        auto conflict = create_link(*socket, "theirs", "ifb", "wgd:theirs");
        REQUIRE_FALSE(conflict);
        CHECK(conflict.error().code == ErrorCode::kConflict);
        CHECK(run("ip -d link show dev theirs") == before);
        CHECK_FALSE((*find_link(*socket, "theirs"))->is_ours());
    }
    SECTION("deleting twice is success") {
        CHECK(delete_link(*socket, "home"));
        CHECK(delete_link(*socket, "home"));
        CHECK_FALSE(*find_link(*socket, "home"));
    }
    SECTION("a list has them all") {
        auto links = read_links(*socket);
        REQUIRE(links);
        const auto count = std::count_if(links->begin(), links->end(),
                                         [](const auto& l) { return l.name == "home" || l.name == "lo"; });
        CHECK(count == 2);
    }
}

TEST_CASE("a link whose creation was cut short is known to be ours, and finished by creating it again") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip link add half group " + std::to_string(kUnfinishedLinkGroup) + " type ifb");
    CHECK((*find_link(*socket, "half"))->is_ours());
    REQUIRE(create_link(*socket, "half", "ifb", "wgd:half"));
    CHECK((*find_link(*socket, "half"))->alias == "wgd:half");
    CHECK((*find_link(*socket, "half"))->group == 0);
}

TEST_CASE("errors carry the kernel's own words") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    REQUIRE(create_link(*socket, "home", "ifb", "wgd:home"));

    auto missing = set_link_mtu(*socket, "nowhere", 1400);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().sys_errno == ENODEV);
    CHECK(missing.error().message == "cannot set the MTU of link nowhere to 1400: No such device");

    auto kind = create_link(*socket, "what", "no-such-kind", "wgd:what");
    REQUIRE_FALSE(kind);
    CHECK(kind.error().code == ErrorCode::kUnsupported);
    CHECK(kind.error().message ==
          "cannot create link what of kind no-such-kind: Operation not supported (Unknown device type)");

    run("ip link add veth1 type veth peer name veth2");
    auto mtu = set_link_mtu(*socket, "veth1", 20);
    REQUIRE_FALSE(mtu);
    CHECK(mtu.error().message.find("(mtu less than device minimum)") != std::string::npos);
}
