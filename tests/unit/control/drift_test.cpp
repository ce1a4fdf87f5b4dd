// SPDX-License-Identifier: MIT
// How often an object is put back before we stop fighting for it.
#include <catch2/catch.hpp>

#include "daemon/control/drift.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

TEST_CASE("an object is put back freely five times a minute, then after pauses that double") {
    Drift drift;
    Instant now{1h};
    for (int i = 1; i < Drift::kFreeRepairs; ++i) {
        REQUIRE(drift.may_repair("route", now));
        CHECK(drift.repaired("route", "gone", now) == Duration::zero());
        CHECK_FALSE(drift.next_chance(now));
        now += 1s;
    }
    Duration pause = 10s;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(drift.may_repair("route", now));
        CHECK(drift.repaired("route", "gone", now) == pause);
        CHECK_FALSE(drift.may_repair("route", now));
        CHECK(drift.next_chance(now) == pause);
        CHECK(drift.may_repair("rule", now)); // the others are not made to wait for it
        now += pause;
        pause *= 2;
    }
    CHECK(drift.count() == 8);
    for (int i = 0; i < 10; ++i) {
        pause = drift.repaired("route", "gone", now);
        now += pause;
    }
    CHECK(pause == Drift::kLongestPause);
    // Peace.
    now += Drift::kForgotten;
    CHECK(drift.repaired("route", "gone", now) == Duration::zero());
}

TEST_CASE("now and then is no fight") {
    Drift drift;
    Instant now{1h};
    for (int i = 0; i < 100; ++i) {
        CHECK(drift.repaired("route", "gone", now) == Duration::zero());
        now += 20s;
    }
}

TEST_CASE("what happened is told in words, what somebody added is left") {
    const plan::Route route{*IpPrefix::parse("10.9.0.0/16"), "t", 51820, 199, 0};
    CHECK(what_happened(plan::AddRoute{route}) == "route 10.9.0.0/16 in table 51820 was removed by somebody");
    CHECK(what_happened(plan::SetMtu{"t", 1420}).find("1420") != std::string::npos);
    CHECK(what_happened(plan::SetLinkUp{"t", true}) == "the link was set down by somebody");
    CHECK(is_repair(plan::AddRoute{route}));
    CHECK_FALSE(is_repair(plan::RemoveRoute{route}));
    CHECK_FALSE(is_repair(plan::RemoveAddress{"t", *IpPrefix::parse("10.9.0.1/16")}));
}
