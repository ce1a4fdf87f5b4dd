// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "daemon/control/record.hpp"

using namespace wgd;
using namespace wgd::control;

TEST_CASE("a record is read as it was written") {
    Record record;
    record.intent = GENERATE(Record::Intent::kUp, Record::Intent::kReconcile, Record::Intent::kDown);
    record.backend = GENERATE(plan::Backend::kKernel, plan::Backend::kUserspace);
    record.backend_reason = "because of \"this\"";
    record.netns = GENERATE("", "vpn");
    record.mark = 51820;
    plan::Rule rule;
    rule.family = Family::kIpv6;
    rule.priority = 32765;
    rule.fwmark = 51820;
    rule.invert = true;
    rule.table = 51820;
    rule.protocol = 0xc7;
    record.rules = {rule};
    record.original_sysctls["net/ipv4/conf/all/src_valid_mark"] = "0";
    record.endpoints[*PublicKey::from_base64("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=")] =
        *Endpoint::parse("[fe80::1%3]:51820");
    record.profile_digest = profile_digest("text");
    record.by_hooks = {{*IpPrefix::parse("fe80::7/64")}, 1300, {record.endpoints.begin()->first}};
    const auto read = record_from_json(to_json(record));
    REQUIRE(read);
    CHECK(*read == record);
}

TEST_CASE("a record that is not one is refused") {
    for (const char* text :
         {"", "[]", "{}", "{\"version\":2}", "{\"version\":1,\"intent\":\"sideways\"}", "\x80"}) {
        const auto read = record_from_json(text);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == ErrorCode::kParse);
    }
}

TEST_CASE("a digest tells texts apart") {
    CHECK(profile_digest("a") != profile_digest("b"));
    CHECK(profile_digest("a") == profile_digest("a"));
    CHECK(profile_digest("a").size() == 64);
}
