// SPDX-License-Identifier: MIT
// The rendered tables in a real kernel, in a network namespace of this process's own. Needs root.
#include <catch2/catch.hpp>

#include <sched.h>

#include "daemon/plan/firewall.hpp"
#include "daemon/plan/lock.hpp"
#include "daemon/sys/nftables.hpp"
#include "tests/requirement/requirement.hpp"

using namespace wgd;
using plan::LockTable;
using plan::TunnelTable;

namespace {

TunnelTable everything(std::string link) {
    TunnelTable table;
    table.link = std::move(link);
    table.local = {*IpAddress::parse("10.0.0.2"), *IpAddress::parse("fd00::2")};
    table.fwmark = 0xca6c;
    table.masquerade = table.isolate_peers = table.mss_clamp = true;
    return table;
}

LockTable lock(bool allow_lan) {
    LockTable table;
    table.allow_lan = allow_lan;
    table.tunnels = {
        {"home", 0xca6c, {*Endpoint::parse("192.0.2.1:51820"), *Endpoint::parse("[2001:db8::1]:1")}},
        {"not.up.yet",
         0xca6d,
         {},
         true,
         true,
         {*IpPrefix::parse("203.0.113.0/24"), *IpPrefix::parse("203.0.113.128/25"),
          *IpPrefix::parse("2001:db8:9::/48")}}};
    return table;
}

} // namespace

TEST_CASE("every table loads, is found again by its digest, is replaced whole and removed without trace") {
    sys::Nftables nft;
    const std::string name = GENERATE("home", "lock", "a=b+c.d_e-f", "0", "123456789012345");
    const auto table = everything(name);
    REQUIRE(nft.run(plan::render(table).transaction));
    const auto first = *nft.tables();
    REQUIRE(first.size() == 1);
    CHECK(first.begin()->first == plan::tunnel_table_name(name));
    CHECK(first.begin()->second.digest == plan::render(table).digest);

    REQUIRE(nft.run(plan::render(table).transaction));
    CHECK(*nft.tables() == first); // the same again: nothing doubled

    TunnelTable less;
    less.link = name;
    less.mss_clamp = true;
    REQUIRE(nft.run(plan::render(less).transaction));
    CHECK((*nft.tables()).begin()->second.digest == plan::render(less).digest);

    REQUIRE(nft.run(plan::render_removal(plan::tunnel_table_name(name))));
    CHECK(nft.tables()->empty());
    CHECK(nft.run(plan::render_removal(plan::tunnel_table_name(name)))); // gone is gone
}

TEST_CASE("the lock loads with and without the local network, and with no tunnel at all") {
    sys::Nftables nft;
    for (const auto& table : {lock(false), lock(true), LockTable{}}) {
        REQUIRE(nft.run(plan::render(table).transaction));
        CHECK(nft.tables()->at(std::string(plan::kLockTable)).digest == plan::render(table).digest);
    }
    REQUIRE(nft.run(plan::render_removal(std::string(plan::kLockTable))));
}

TEST_CASE("a change by somebody else shows, a failed transaction changes nothing") {
    sys::Nftables nft;
    const auto table = everything("home");
    REQUIRE(nft.run(plan::render(table).transaction));
    const auto before = *nft.tables();

    const auto broken = nft.run(plan::render_removal("wgd-home") + "add rule inet wgd-nowhere x drop\n");
    REQUIRE_FALSE(broken);
    CHECK(broken.error().code == ErrorCode::kKernel);
    CHECK(*nft.tables() == before);

    REQUIRE(nft.run("flush chain inet wgd-home preraw\n"));
    const auto after = *nft.tables();
    CHECK(after.at("wgd-home").digest == before.at("wgd-home").digest);
    CHECK(after.at("wgd-home").content != before.at("wgd-home").content);
    REQUIRE(nft.run(plan::render_removal("wgd-home")));
}

std::string test::missing_requirement() {
    if (unshare(CLONE_NEWNET) != 0) return "root and network namespaces";
    return sys::Nftables().tables() ? "" : "a kernel with nftables";
}
