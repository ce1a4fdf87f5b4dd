// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "common/base/fd.hpp"
#include "daemon/sys/rtnl_address.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;
using wgd::test::run_json;

namespace {

IpPrefix prefix(const char* text) {
    return IpPrefix::parse(text).value();
}

bool has(NetlinkSocket& socket, const std::string& link, const char* address) {
    const std::uint32_t index = link_index(socket, link).value();
    auto all = read_addresses(socket);
    REQUIRE(all);
    return std::find(all->begin(), all->end(), std::pair(index, prefix(address))) != all->end();
}

} // namespace

TEST_CASE("addresses are what `ip address add` makes") {
    test::FreshNamespaces fresh;
    auto socket = NetlinkSocket::open();
    REQUIRE(socket);
    run("ip tuntap add mine mode tun && ip link set mine up");
    run("ip tuntap add iproute mode tun && ip link set iproute up");
    for (const char* address : {"10.5.0.2/24", "10.6.0.1/32", "fd05::2/64", "fd06::1/128", "127.9.9.9/32"}) {
        REQUIRE(add_address(*socket, "mine", prefix(address)));
        run(std::string("ip address add ") + address + " dev iproute" +
            (prefix(address).family() == Family::kIpv6 ? " nodad" : ""));
        CHECK(has(*socket, "mine", address));
    }
    const auto essence = [](const std::string& link) {
        auto shown = run_json("ip -j -d address show dev " + link).at(0).at("addr_info");
        nlohmann::json kept = nlohmann::json::array();
        for (auto& entry : shown) {
            if (entry.value("scope", "") == "link") continue; // the kernel's own fe80:: is random
            entry.erase("label");
            kept.push_back(entry);
        }
        return kept;
    };
    CHECK(essence("mine") == essence("iproute"));
    CHECK(essence("mine").size() == 5);
    for (const auto& entry : essence("mine")) {
        CHECK_FALSE(entry.contains("tentative"));
        CHECK_FALSE(entry.contains("noprefixroute"));
    }
    // The connected routes came along.
    CHECK(run("ip route show dev mine") == "10.5.0.0/24 proto kernel scope link src 10.5.0.2 linkdown \n");

    SECTION("adding and removing twice is success") {
        CHECK(add_address(*socket, "mine", prefix("10.5.0.2/24")));
        CHECK(add_address(*socket, "mine", prefix("fd05::2/64")));
        for (const char* address : {"10.5.0.2/24", "fd05::2/64"}) {
            CHECK(remove_address(*socket, "mine", prefix(address)));
            CHECK_FALSE(has(*socket, "mine", address));
            CHECK(remove_address(*socket, "mine", prefix(address)));
        }
        CHECK(remove_address(*socket, "nowhere", prefix("10.5.0.2/24")));
    }
    SECTION("the same IPv6 address with another prefix length is a conflict") {
        auto added = add_address(*socket, "mine", prefix("fd05::2/96"));
        REQUIRE_FALSE(added);
        CHECK(added.error().code == ErrorCode::kConflict);
        CHECK(has(*socket, "mine", "fd05::2/64"));
    }
    SECTION("no link, no address") {
        auto added = add_address(*socket, "nowhere", prefix("10.9.0.1/24"));
        REQUIRE_FALSE(added);
        CHECK(added.error().code == ErrorCode::kNotFound);
        CHECK(added.error().message == "there is no link named nowhere");
    }
}
