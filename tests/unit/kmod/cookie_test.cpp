// SPDX-License-Identifier: MIT
// A sender and a receiver under load, and those who are neither.
#include <catch2/catch.hpp>

#include "kmod.hpp"

namespace {

constexpr u64 kSecond = NSEC_PER_SEC, kSecretAge = 120 * kSecond, kCookieUse = 115 * kSecond;

struct World {
    Key receiver = random_key();
    wg_cookie_checker checker;
    wg_cookie_jar jar;
    wg_cookie_source source{};
    wg_msg_initiation msg{};

    World() {
        wg_cookie_checker_init(&checker);
        wg_cookie_checker_set_key(&checker, receiver.data());
        wg_cookie_jar_init(&jar, receiver.data());
        get_random_bytes(source.octets, 6);
        source.length = 6;
        get_random_bytes(&msg, sizeof(msg));
    }
    void sign(u64 now) { wg_cookie_sign(&jar, &msg, sizeof(msg), now); }
    wg_cookie_verdict check(u64 now, bool load = true) {
        return wg_cookie_check(&checker, &source, &msg, sizeof(msg), load, now, kSecretAge);
    }
    wg_msg_cookie reply(u64 now) {
        wg_msg_cookie out;
        REQUIRE(wg_cookie_reply(&checker, &source, &msg, sizeof(msg), 77, now, kSecretAge, &out));
        return out;
    }
    bool accept(const wg_msg_cookie& in, u64 now) { return wg_cookie_accept(&jar, &in, now, kCookieUse); }
};

} // namespace

TEST_CASE("mac1: only who knows the receiver's key is heard") {
    World w;
    CHECK(w.check(kSecond) == WG_MAC_INVALID);
    w.sign(kSecond);
    CHECK(w.check(kSecond) == WG_MAC1_VALID);
    CHECK(w.check(kSecond, false) == WG_MAC1_VALID);
    for (size_t i = 0; i < sizeof(w.msg) - WG_MAC_SIZE; ++i) {
        reinterpret_cast<u8*>(&w.msg)[i] ^= 1;
        CHECK(w.check(kSecond) == WG_MAC_INVALID);
        reinterpret_cast<u8*>(&w.msg)[i] ^= 1;
    }
    wg_cookie_checker_set_key(&w.checker, nullptr);
    CHECK(w.check(kSecond) == WG_MAC_INVALID);
}

TEST_CASE("mac2: a cookie is good for its address, its time and its message") {
    World w;
    u64 now = 10 * kSecond;
    w.sign(now);
    const auto reply = w.reply(now);
    CHECK(reply.receiver == 77);
    REQUIRE(w.accept(reply, now));
    CHECK_FALSE(w.accept(reply, now)); // it answers one message
    w.sign(now);
    CHECK(w.check(now) == WG_MAC2_VALID);

    auto moved = w.source;
    w.source.octets[0] ^= 1;
    CHECK(w.check(now) == WG_MAC1_VALID);
    w.source = moved;
    w.source.octets[5] ^= 1; // the port counts as well
    CHECK(w.check(now) == WG_MAC1_VALID);
    w.source = moved;
    w.msg.macs.mac2[3] ^= 1;
    CHECK(w.check(now) == WG_MAC1_VALID);

    w.sign(now + kCookieUse - 1);
    CHECK(w.check(now + kCookieUse - 1) == WG_MAC2_VALID);
    w.sign(now + kCookieUse);
    CHECK(w.check(now + kCookieUse) == WG_MAC1_VALID);
}

TEST_CASE("the receiver's secret is renewed") {
    World w;
    u64 now = 10 * kSecond;
    w.sign(now);
    REQUIRE(w.accept(w.reply(now), now));
    w.sign(now);
    CHECK(w.check(now + kSecretAge - 1) == WG_MAC2_VALID);
    CHECK(w.check(now + kSecretAge) == WG_MAC1_VALID);
}

TEST_CASE("a cookie that nobody asked for, or that was changed on its way, is refused") {
    World w;
    w.sign(kSecond);
    auto reply = w.reply(kSecond);
    for (size_t i = offsetof(wg_msg_cookie, nonce); i < sizeof(reply); ++i) {
        reinterpret_cast<u8*>(&reply)[i] ^= 0x80;
        CHECK_FALSE(w.accept(reply, kSecond));
        reinterpret_cast<u8*>(&reply)[i] ^= 0x80;
    }
    World other;
    CHECK_FALSE(other.accept(reply, kSecond));
    get_random_bytes(&w.msg, 50);
    w.sign(kSecond); // another message since
    CHECK_FALSE(w.accept(reply, kSecond));
}
