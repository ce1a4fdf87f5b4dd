// SPDX-License-Identifier: MIT
// The search for a path's MTU against paths of all kinds.
#include <catch2/catch.hpp>

#include "daemon/plan/mtu_search.hpp"

using namespace wgd::plan;

namespace {

struct Path {
    std::uint32_t mtu;
    bool says_so = true; // routers send "too big", with the MTU
    bool answers = true; // the far end answers
    bool lies = false;   // "too big" names a number that cannot be
};

struct Found {
    std::optional<std::uint32_t> mtu;
    unsigned packets;
};

Found search(const Path& path, std::uint32_t floor = 576, std::uint32_t ceiling = 1500) {
    MtuSearch search(floor, ceiling);
    unsigned packets = 0;
    while (const auto size = search.next()) {
        REQUIRE(++packets < 50);
        REQUIRE(*size >= floor);
        REQUIRE(*size <= ceiling);
        if (*size > path.mtu && path.says_so)
            search.too_big(path.lies ? 40 : path.mtu);
        else if (*size > path.mtu || !path.answers)
            search.silent();
        else
            search.answered();
    }
    return {search.result(), packets};
}

} // namespace

TEST_CASE("mtu search: a path without a narrow place costs one packet") {
    const Found found = search({1500});
    CHECK(found.mtu == 1500u);
    CHECK(found.packets == 1);
}

TEST_CASE("mtu search: what a router says is tried, and believed when it is answered") {
    const Found found = search({1400});
    CHECK(found.mtu == 1400u);
    CHECK(found.packets == 2);
}

TEST_CASE("mtu search: a far end that does not answer, and a router that speaks") {
    CHECK(search({1400, true, false}).mtu == 1400u);
}

TEST_CASE("mtu search: nobody speaks but the far end: every MTU is found, to eight bytes") {
    for (std::uint32_t mtu = 576; mtu <= 1500; ++mtu) {
        const Found found = search({mtu, false});
        REQUIRE(found.mtu);
        CHECK(*found.mtu <= mtu);
        CHECK(*found.mtu + 8 > mtu);
        CHECK(found.packets <= 9);
    }
}

TEST_CASE("mtu search: nobody speaks at all: nothing is known") {
    const Found found = search({1400, false, false});
    CHECK_FALSE(found.mtu);
    CHECK(found.packets == 2);
}

TEST_CASE("mtu search: a number that cannot be is not believed, the size is found without it") {
    for (std::uint32_t mtu = 576; mtu < 1500; mtu += 7) {
        const Found found = search({mtu, true, true, true});
        REQUIRE(found.mtu);
        CHECK(*found.mtu <= mtu);
        CHECK(*found.mtu + 8 > mtu);
    }
}

TEST_CASE("mtu search: narrower and narrower places, one after the other") {
    MtuSearch search(576, 1500);
    search.too_big(1480);
    REQUIRE(search.next() == 1480u);
    search.too_big(1400);
    REQUIRE(search.next() == 1400u);
    search.answered();
    CHECK_FALSE(search.next());
    CHECK(search.result() == 1400u);
}

TEST_CASE("mtu search: a first link that carries no more than the floor leaves nothing to ask") {
    CHECK_FALSE(MtuSearch(1280, 1280).next());
    CHECK_FALSE(MtuSearch(1280, 576).result());
}
