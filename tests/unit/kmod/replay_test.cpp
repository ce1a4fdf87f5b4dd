// SPDX-License-Identifier: MIT
// The window against the definition: every counter once, none older than the window.
#include <catch2/catch.hpp>

#include <memory>
#include <random>
#include <set>

#include "kmod.hpp"

TEST_CASE("counters are accepted once, in any order within the window") {
    auto window = std::make_unique<wg_replay>();
    CHECK(wg_replay_accept(window.get(), 0));
    CHECK_FALSE(wg_replay_accept(window.get(), 0));
    CHECK(wg_replay_accept(window.get(), 5));
    CHECK(wg_replay_accept(window.get(), 3));
    CHECK_FALSE(wg_replay_accept(window.get(), 3));
    CHECK(wg_replay_accept(window.get(), 8000));
    CHECK(wg_replay_accept(window.get(), 4));
    CHECK(wg_replay_accept(window.get(), 100000));
    CHECK_FALSE(wg_replay_accept(window.get(), 6));
    CHECK_FALSE(wg_replay_accept(window.get(), WG_REJECT_AFTER_MESSAGES));
    CHECK_FALSE(wg_replay_accept(window.get(), U64_MAX));
    CHECK(wg_replay_accept(window.get(), WG_REJECT_AFTER_MESSAGES - 1));
    CHECK_FALSE(wg_replay_accept(window.get(), WG_REJECT_AFTER_MESSAGES - 1));
    CHECK(wg_replay_accept(window.get(), WG_REJECT_AFTER_MESSAGES - 2));
}

TEST_CASE("the window agrees with a stupid one") {
    constexpr u64 kWindow = WG_REPLAY_BITS - 64;
    std::mt19937_64 random(1);
    for (int run = 0; run < 30; ++run) {
        auto window = std::make_unique<wg_replay>();
        std::set<u64> seen;
        u64 newest = 0;
        bool any = false;
        for (int i = 0; i < 4000; ++i) {
            u64 counter;
            switch (random() % 8) {
            case 0:
                counter = newest + random() % 20000;
                break;
            case 1:
                counter = newest - std::min<u64>(newest, random() % 20000);
                break;
            case 2:
                counter = newest - std::min<u64>(newest, kWindow - 2 + random() % 4);
                break;
            default:
                counter = newest + 1 - std::min<u64>(newest, random() % 100);
                break;
            }
            const bool too_old = any && counter + kWindow < newest + 1;
            const bool expected = !too_old && seen.insert(counter).second;
            REQUIRE(wg_replay_accept(window.get(), counter) == expected);
            if (expected && (!any || counter > newest)) newest = counter;
            any = any || expected;
        }
    }
}
