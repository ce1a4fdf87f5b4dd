// SPDX-License-Identifier: MIT
// What can be asked of this machine's kernel without changing it. Devices themselves: tests/vm.
#include "common/wgapi/netlink_client.hpp"

#include <catch2/catch.hpp>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "common/wgapi/netlink_attributes.hpp"

using namespace wgd;

TEST_CASE("a link that does not exist, with or without WireGuard in the kernel") {
    auto client = NetlinkClient::open();
    REQUIRE(client);
    const auto device = client->get("wgdt-absent");
    REQUIRE_FALSE(device);
    const auto code = device.error().code;
    INFO(device.error().message);
    CHECK((code == ErrorCode::kUnsupported || code == ErrorCode::kNotFound ||
           code == ErrorCode::kNotAuthorized));
    CHECK(client->set("wgdt-absent", {}).error().code == code);
}

TEST_CASE("names that cannot be a link's") {
    auto client = NetlinkClient::open();
    REQUIRE(client);
    CHECK(client->get("").error().code == ErrorCode::kInvalidName);
    CHECK(client->get("sixteen-letters-").error().code == ErrorCode::kInvalidName);
    CHECK(client->set(std::string_view("a\0b", 3), {}).error().code == ErrorCode::kInvalidName);
}

TEST_CASE("lo is a link, and not a WireGuard one") {
    auto client = NetlinkClient::open();
    REQUIRE(client);
    const auto names = client->list();
    REQUIRE(names);
    for (const auto& name : *names)
        CHECK(name != "lo");
}

TEST_CASE("the socket: an answer, an error with the kernel's errno, and again after it") {
    auto socket = wgnl::NetlinkSocket::open(NETLINK_ROUTE);
    REQUIRE(socket);
    Bytes question(NLMSG_ALIGN(sizeof(ifinfomsg)));
    const auto links = [&] {
        std::size_t seen = 0;
        const auto asked = socket->request(RTM_GETLINK, NLM_F_DUMP, question, [&](ByteView) -> Result<void> {
            ++seen;
            return {};
        });
        CHECK(asked);
        return seen;
    };
    CHECK(links() >= 1);

    wgnl::AttributeWriter name;
    name.put_string(IFLA_IFNAME, "wgdt-absent");
    auto one = question;
    const auto attributes = std::move(name).take();
    one.insert(one.end(), attributes.begin(), attributes.end());
    const auto absent = socket->request(RTM_GETLINK, NLM_F_ACK, one);
    REQUIRE_FALSE(absent);
    CHECK(absent.error().code == ErrorCode::kKernel);
    CHECK(absent.error().sys_errno == ENODEV);

    const auto refused = socket->request(RTM_GETLINK, NLM_F_DUMP, question, [](ByteView) -> Result<void> {
        return fail(ErrorCode::kCancelled, "enough");
    });
    CHECK(refused.error().code == ErrorCode::kCancelled);
    CHECK(links() >= 1); // the rest of the refused answer is not in the way
}
