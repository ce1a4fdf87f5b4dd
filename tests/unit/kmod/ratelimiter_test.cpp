// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include <memory>

#include "kmod.hpp"

namespace {

constexpr u64 kSecond = NSEC_PER_SEC;

bool allow4(wg_ratelimiter& limiter, u32 address, u64 now, u64 scope = 1) {
    return wg_ratelimiter_allow(&limiter, &address, sizeof(address), scope, now);
}

} // namespace

TEST_CASE("five at once, then twenty a second") {
    auto limiter = std::make_unique<wg_ratelimiter>();
    wg_ratelimiter_init(limiter.get());
    u64 now = 1000 * kSecond;
    for (int i = 0; i < WG_RATELIMITER_BURST; ++i)
        CHECK(allow4(*limiter, 1, now));
    CHECK_FALSE(allow4(*limiter, 1, now));
    CHECK(allow4(*limiter, 2, now));
    CHECK(allow4(*limiter, 1, now, 2)); // the same address elsewhere
    CHECK_FALSE(allow4(*limiter, 1, now + kSecond / 20 - 1));
    CHECK(allow4(*limiter, 1, now + kSecond / 20));
    CHECK_FALSE(allow4(*limiter, 1, now + kSecond / 20));

    int allowed = 0;
    now += 10 * kSecond;
    for (u64 t = 0; t < 10 * kSecond; t += kSecond / 1000)
        allowed += allow4(*limiter, 1, now + t);
    CHECK(allowed >= 200);
    CHECK(allowed <= 200 + WG_RATELIMITER_BURST);
}

TEST_CASE("IPv6 sources count by /64") {
    auto limiter = std::make_unique<wg_ratelimiter>();
    wg_ratelimiter_init(limiter.get());
    u8 address[16] = {0xfd};
    int allowed = 0;
    for (u8 host = 0; host < 100; ++host) {
        address[15] = host;
        allowed += wg_ratelimiter_allow(limiter.get(), address, sizeof(address), 0, kSecond);
    }
    CHECK(allowed == WG_RATELIMITER_BURST);
    address[7] = 1;
    CHECK(wg_ratelimiter_allow(limiter.get(), address, sizeof(address), 0, kSecond));
}

TEST_CASE("a flood from many addresses neither grows it nor shuts anybody out") {
    auto limiter = std::make_unique<wg_ratelimiter>();
    wg_ratelimiter_init(limiter.get());
    for (u32 i = 0; i < 1000000; ++i)
        allow4(*limiter, i, kSecond);
    CHECK(allow4(*limiter, 0xffffffff, kSecond));
}
