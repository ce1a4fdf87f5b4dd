// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "datapath/crypto/x25519.hpp"
#include "datapath/wg/cookie.hpp"
#include "datapath/wg/load_meter.hpp"
#include "datapath/wg/rate_limiter.hpp"

using namespace wgd;
using namespace wgd::wg;

namespace {

const Instant kStart{Duration(1000s)};
const Endpoint kHere = Endpoint::parse("192.0.2.1:51820").value();

struct Exchange {
    Exchange()
        : key(derive_public_key(crypto::generate_private_key(system_random())))
        , checker(system_random()) {
        checker.set_key(key);
        message.assign(kInitiationSize, 0x5a);
        message[0] = 1;
    }
    // The cookie travels from checker to keeper.
    bool deliver(const Endpoint& from, Instant now) {
        Bytes reply(kCookieReplySize);
        checker.write_reply(reply, message, from, now);
        return keeper.consume_reply(reply, key, now);
    }
    PublicKey key;
    CookieChecker checker;
    CookieKeeper keeper;
    Bytes message;
};

} // namespace

TEST_CASE("mac1 proves knowledge of the key", "[cookie]") {
    Exchange x;
    CHECK(x.checker.check(x.message, kHere, false, kStart) == MacState::kInvalid);
    x.keeper.add_macs(x.message, x.key, kStart);
    CHECK(x.checker.check(x.message, kHere, false, kStart) == MacState::kValid);
    CHECK(x.checker.check(x.message, kHere, true, kStart) == MacState::kValid); // mac2 is zero
    for (std::size_t at = 0; at < x.message.size() - 16; ++at) {                // not mac2
        Bytes changed = x.message;
        changed[at] ^= 4;
        CHECK(x.checker.check(changed, kHere, false, kStart) == MacState::kInvalid);
    }
    const PublicKey other = derive_public_key(crypto::generate_private_key(system_random()));
    x.checker.set_key(other);
    CHECK(x.checker.check(x.message, kHere, false, kStart) == MacState::kInvalid);
}

TEST_CASE("a cookie proves an address and a port, for about two minutes", "[cookie]") {
    Exchange x;
    x.keeper.add_macs(x.message, x.key, kStart);
    REQUIRE(x.deliver(kHere, kStart));
    CHECK_FALSE(x.deliver(kHere, kStart)); // answered already
    const auto sent_at = [&](Instant now, const Endpoint& from) {
        x.keeper.add_macs(x.message, x.key, now);
        return x.checker.check(x.message, from, true, now);
    };
    CHECK(sent_at(kStart + 1s, kHere) == MacState::kValidWithCookie);
    CHECK(sent_at(kStart + 114s, kHere) == MacState::kValidWithCookie);
    Endpoint elsewhere = kHere;
    elsewhere.port = 9;
    CHECK(sent_at(kStart + 1s, elsewhere) == MacState::kValid);
    elsewhere = Endpoint::parse("192.0.2.2:51820").value();
    CHECK(sent_at(kStart + 1s, elsewhere) == MacState::kValid);
    // The keeper stops using it before the checker stops knowing it.
    CHECK(sent_at(kStart + 116s, kHere) == MacState::kValid);
    const Bytes zero(16, 0);
    CHECK(std::equal(zero.begin(), zero.end(), x.message.end() - 16));
}

TEST_CASE("the checker's secret changes every two minutes", "[cookie]") {
    Exchange x;
    x.keeper.add_macs(x.message, x.key, kStart);
    (void)x.deliver(kHere, kStart); // the secret is born here
    x.keeper.add_macs(x.message, x.key, kStart + 119s);
    REQUIRE(x.deliver(kHere, kStart + 119s));
    x.keeper.add_macs(x.message, x.key, kStart + 119s);
    CHECK(x.checker.check(x.message, kHere, true, kStart + 119s) == MacState::kValidWithCookie);
    CHECK(x.checker.check(x.message, kHere, true, kStart + 121s) == MacState::kValid);
}

TEST_CASE("a cookie reply belongs to the last message sent", "[cookie]") {
    Exchange x;
    x.keeper.add_macs(x.message, x.key, kStart);
    Bytes reply(kCookieReplySize);
    x.checker.write_reply(reply, x.message, kHere, kStart);
    CHECK(reply[0] == 3);
    CHECK(receiver_index(reply) == sender_index(x.message));
    Bytes second = x.message;
    second[20] ^= 1;
    x.keeper.add_macs(second, x.key, kStart); // sent since
    CHECK_FALSE(x.keeper.consume_reply(reply, x.key, kStart));
    x.keeper.forget();
    CHECK_FALSE(x.keeper.consume_reply(reply, x.key, kStart));
}

TEST_CASE("the rate limiter lets five through at once and then twenty a second", "[rate_limiter]") {
    RateLimiter limiter(1);
    const IpAddress address = kHere.address;
    unsigned allowed = 0;
    for (int i = 0; i < 100; ++i)
        allowed += limiter.allow(address, kStart) ? 1 : 0;
    CHECK(allowed == 5);
    CHECK_FALSE(limiter.allow(address, kStart + 49ms));
    CHECK(limiter.allow(address, kStart + 100ms));
    allowed = 0;
    for (int ms = 1000; ms < 11000; ++ms)
        allowed += limiter.allow(address, kStart + std::chrono::milliseconds(ms)) ? 1 : 0;
    CHECK(allowed >= 200);
    CHECK(allowed <= 205);
}

TEST_CASE("an IPv4 address, and an IPv6 /64, is one source", "[rate_limiter]") {
    RateLimiter limiter(1);
    const auto spend = [&](const char* address) {
        unsigned allowed = 0;
        for (int i = 0; i < 10; ++i)
            allowed += limiter.allow(IpAddress::parse(address).value(), kStart) ? 1 : 0;
        return allowed;
    };
    CHECK(spend("192.0.2.1") == 5);
    CHECK(spend("192.0.2.2") == 5);
    CHECK(spend("2001:db8:0:1::1") == 5);
    CHECK(spend("2001:db8:0:1:ffff::1") == 0);
    CHECK(spend("2001:db8:0:2::1") == 5);
}

TEST_CASE("the rate limiter's table is bounded and empties itself", "[rate_limiter]") {
    RateLimiter limiter(1);
    for (std::uint32_t i = 0; i < 100000; ++i)
        (void)limiter.allow(IpAddress::v4({10, static_cast<std::uint8_t>(i >> 16),
                                           static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}),
                            kStart);
    CHECK(limiter.sources() == RateLimiter::kMaxSources);
    CHECK_FALSE(limiter.allow(IpAddress::v4({11, 0, 0, 1}), kStart));
    CHECK(limiter.allow(IpAddress::v4({11, 0, 0, 1}), kStart + 2s));
    CHECK(limiter.sources() == 1);
}

TEST_CASE("under load: by what waits, by what comes, and for a second after", "[load]") {
    LoadMeter meter;
    meter.note(0, kStart);
    CHECK_FALSE(meter.under_load(kStart));
    meter.note(kLoadBacklog, kStart);
    CHECK(meter.under_load(kStart + 999ms));
    CHECK_FALSE(meter.under_load(kStart + 1s));
    for (unsigned i = 0; i <= kLoadInitiationsPerSecond; ++i)
        meter.note(0, kStart + 10s);
    CHECK(meter.under_load(kStart + 10s));
    CHECK_FALSE(meter.under_load(kStart + 11s));
    for (int i = 0; i < 100; ++i) // ten a second are nothing
        meter.note(0, kStart + 20s + i * 100ms);
    CHECK_FALSE(meter.under_load(kStart + 30s));
}
