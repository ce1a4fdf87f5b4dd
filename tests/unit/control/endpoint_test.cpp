// SPDX-License-Identifier: MIT
// EndpointSearch and EndpointWatch: names that move, die, come back, and answer late.
#include <catch2/catch.hpp>

#include "daemon/control/endpoint_watch.hpp"
#include "tests/fakes/fake_resolver.hpp"
#include "tests/fakes/fake_time.hpp"

using namespace wgd;
using namespace wgd::control;
using namespace std::chrono_literals;

namespace {

Endpoint at(const std::string& address, std::uint16_t port = 51820) {
    return {*IpAddress::parse(address), port, 0};
}

// Two machines of a name, in documentation's networks (RFC 5737, RFC 3849).
const Endpoint kA = at("192.0.2.1");
const Endpoint kB = at("192.0.2.2");
const Endpoint kSix = at("2001:db8::1");
const Endpoint kRoamed = at("203.0.113.50", 4242);

PublicKey key(std::uint8_t byte) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(byte);
    return PublicKey(bytes);
}

// The device, as a peer's counters make it look.
struct Device {
    WgPeer peer;
    Device() { peer.public_key = key(1); }
    Device& sends() {
        peer.tx_bytes += 148;
        return *this;
    }
    Device& hears(WallTime now) {
        peer.rx_bytes += 92;
        peer.latest_handshake = now;
        return *this;
    }
};

Profile profile_with(const std::string& endpoint, std::uint16_t keepalive = 0) {
    Profile profile{*ProfileName::parse("home")};
    ProfilePeer& peer = profile.peers.emplace_back();
    peer.public_key = key(1);
    peer.persistent_keepalive = keepalive;
    EndpointSpec spec;
    const std::size_t colon = endpoint.rfind(':');
    spec.host = endpoint.substr(0, colon);
    spec.port = static_cast<std::uint16_t>(std::stoul(endpoint.substr(colon + 1)));
    spec.text = endpoint;
    peer.endpoint = spec;
    return profile;
}

// A watch over one named peer. What it asks for is given to the device at once, as the tunnel does.
struct Rig {
    fakes::Turns turns;
    fakes::FakeResolver resolver{turns};
    fakes::FakeTime time;
    Device device;
    std::optional<std::chrono::seconds> heard_every; // the peer answers
    int looks = 0;
    int ready = 0;
    int noted = 0;                               // times that a problem came or went
    std::vector<std::string> set;                // endpoints set in the device, in order
    std::function<bool(const Endpoint&)> passes; // what the kill switch lets through
    std::unique_ptr<EndpointWatch> watch;

    explicit Rig(TunnelSettings settings = {})
        : watch(std::make_unique<EndpointWatch>(resolver, time, time, settings)) {}

    void begin(const Profile& profile, const plan::ResolvedEndpoints& applied = {}) {
        watch->start(profile, applied, [this] { ++ready; });
        apply();
        watch->keep_watch({[this]() -> Result<WgDevice> {
                               ++looks;
                               WgDevice copy;
                               WgPeer& peer = copy.peers.emplace_back();
                               peer.public_key = device.peer.public_key;
                               peer.endpoint = device.peer.endpoint;
                               peer.rx_bytes = device.peer.rx_bytes;
                               peer.tx_bytes = device.peer.tx_bytes;
                               peer.latest_handshake = device.peer.latest_handshake;
                               peer.persistent_keepalive = device.peer.persistent_keepalive;
                               return copy;
                           },
                           [this] { apply(); }, [this] { ++noted; }, passes});
    }
    void apply() {
        const auto resolved = watch->resolved();
        const bool moved = watch->moved().count(key(1)) != 0;
        if (const auto found = resolved.find(key(1)); found != resolved.end())
            if (!device.peer.endpoint || moved) {
                device.peer.endpoint = found->second;
                set.push_back(found->second.to_string());
            }
        watch->applied(resolved, moved);
    }
    // Time passes with a peer that answers, or with one that does not.
    void answering(Duration span) {
        for (Duration done{}; done < span; done += 5s) {
            device.sends().hears(time.wall());
            time.advance(5s);
        }
    }
    void unanswered(Duration span) {
        for (Duration done{}; done < span; done += 5s) {
            device.sends();
            time.advance(5s);
        }
    }
};

using Set = std::vector<std::string>;

} // namespace

TEST_CASE("a device that roamed to where the kill switch lets nothing pass is called back") {
    TunnelSettings settings;
    settings.endpoint_refresh = EndpointRefresh::kFollow;
    settings.endpoint_ttl_min = 1s;
    Rig rig(settings);
    rig.passes = [](const Endpoint& endpoint) { return endpoint.address == *IpAddress::parse("192.0.2.2"); };
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(30s);
    CHECK(rig.set == Set{"192.0.2.2:51820"});
    rig.device.peer.endpoint = *Endpoint::parse("192.0.2.1:51820");
    rig.answering(15s);
    CHECK(rig.set == Set{"192.0.2.2:51820", "192.0.2.2:51820"});
    CHECK(rig.device.peer.endpoint == *Endpoint::parse("192.0.2.2:51820"));
}

TEST_CASE("an address that works is kept, whatever its name says meanwhile") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.set_ttl(60s);
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(5min);
    CHECK(rig.resolver.asked() >= 4); // each time the answer had run out
    rig.resolver.forget("vpn.example");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.answering(10min);
    CHECK(rig.set == Set{kA.to_string()});

    // Once it stops to answer, nobody has to be asked again for the other.
    rig.unanswered(60s);
    CHECK(rig.set == Set{kA.to_string(), kB.to_string()});
    rig.answering(10min);
    CHECK(rig.set.size() == 2);
}

TEST_CASE("a name that moved is followed at once if the settings say so") {
    TunnelSettings settings;
    settings.endpoint_refresh = EndpointRefresh::kFollow;
    Rig rig(settings);
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.set_ttl(30s);
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(2min);
    rig.resolver.forget("vpn.example");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.answering(settings.endpoint_ttl_min + 5s);
    CHECK(rig.set == Set{kA.to_string(), kB.to_string()});
}

TEST_CASE("or never: one answer is enough, and the device is not looked at") {
    TunnelSettings settings;
    settings.endpoint_refresh = EndpointRefresh::kNever;
    Rig rig(settings);
    rig.begin(profile_with("vpn.example:51820"));
    rig.time.advance(1min);
    CHECK(rig.resolver.asked() > 2); // until there is one
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.time.advance(10min);
    CHECK(rig.set == Set{kA.to_string()});
    const int asked = rig.resolver.asked();
    rig.watch->nudge();
    rig.unanswered(1h);
    CHECK(rig.resolver.asked() == asked);
    CHECK(rig.looks == 0);
    CHECK(rig.time.armed() == 0);
}

TEST_CASE("all addresses are tried in turn until one answers, ever more slowly") {
    Rig rig;
    rig.resolver.know("vpn.example", "2001:db8::1");
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.resolver.set_ttl(24h);
    rig.begin(profile_with("vpn.example:51820"));
    CHECK(rig.set == Set{kSix.to_string()});
    rig.unanswered(75s);
    CHECK(rig.set == Set{kSix.to_string(), kA.to_string(), kB.to_string()});
    // The second answers.
    SECTION("and stays") {
        rig.answering(1h);
        CHECK(rig.set.size() == 3);
        CHECK(rig.resolver.asked() < 5);
    }
    SECTION("none does: round after round, with longer pauses") {
        rig.unanswered(1h);
        const std::size_t hour = rig.set.size();
        CHECK(hour > 10);
        CHECK(hour < 60);
        rig.unanswered(1h);
        CHECK(rig.set.size() - hour <= 13); // one each five minutes
    }
}

TEST_CASE("an answer that comes while a new address is tried does not take it back") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.begin(profile_with("vpn.example:51820"));
    for (int i = 0; i < 60 && rig.set.size() < 2; ++i)
        rig.unanswered(5s);
    REQUIRE(rig.set == Set{kA.to_string(), kB.to_string()});
    rig.watch->doubt_all();
    rig.time.advance(1s);
    rig.resolver.forget("vpn.example");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.watch->doubt_all();
    rig.time.advance(6s);
    CHECK(rig.set.size() == 2);
    CHECK(rig.watch->resolved().at(key(1)) == kB);
}

TEST_CASE("an address that cannot be sent to at all gives way to the next") {
    Rig rig;
    rig.resolver.know("vpn.example", "2001:db8::1"); // no route: nothing is counted as sent
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.begin(profile_with("vpn.example:51820", 25));
    rig.device.peer.persistent_keepalive = 25;
    rig.time.advance(2min);
    REQUIRE(rig.set.size() >= 2);
    CHECK(rig.set[1] == kA.to_string());
}

TEST_CASE("an idle peer is left in peace") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(1min);
    rig.time.advance(24h); // nothing is sent
    CHECK(rig.set == Set{kA.to_string()});
}

TEST_CASE("an endpoint that the peer roamed to stays as long as it answers") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(1min);
    rig.device.peer.endpoint = kRoamed;
    rig.answering(2h);
    rig.watch->nudge();
    rig.watch->doubt_all();
    rig.answering(2h);
    CHECK(rig.set == Set{kA.to_string()});
    CHECK(rig.device.peer.endpoint == kRoamed);
    // It went back without a word.
    rig.unanswered(1min);
    CHECK(rig.set == Set{kA.to_string(), kA.to_string()});
}

TEST_CASE("a single address that is in use is never set again") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.begin(profile_with("vpn.example:51820"));
    rig.unanswered(3h);
    CHECK(rig.set == Set{kA.to_string()});
    CHECK(rig.resolver.asked() > 10); // but asked for
    CHECK(rig.resolver.asked() < 200);
}

TEST_CASE("a look-up that fails changes nothing, and is said") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.set_ttl(60s);
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(1min);
    CHECK(rig.watch->problems().empty());
    rig.resolver.forget("vpn.example");
    rig.unanswered(10min);
    CHECK(rig.set == Set{kA.to_string()});
    CHECK(rig.noted == 1);
    REQUIRE(rig.watch->problems().size() == 1);
    CHECK(rig.watch->problems()[0].find("stays at 192.0.2.1:51820") != std::string::npos);
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.unanswered(6min);
    CHECK(rig.set == Set{kA.to_string(), kB.to_string()});
    CHECK(rig.watch->problems().empty());
    CHECK(rig.noted == 2);
}

TEST_CASE("what was applied before a restart is kept while it works") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.device.peer.endpoint = kA;
    rig.begin(profile_with("vpn.example:51820"), {{key(1), kA}});
    rig.answering(1h);
    CHECK(rig.set.empty());
    CHECK_FALSE(rig.watch->differs_from({{key(1), kA}}));
    rig.unanswered(1min);
    CHECK(rig.set == Set{kB.to_string()});
}

TEST_CASE("a change of the network asks again, but not for each of its events") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.begin(profile_with("vpn.example:51820"));
    rig.answering(5min);
    const int asked = rig.resolver.asked();
    for (int i = 0; i < 100; ++i)
        rig.watch->nudge();
    rig.time.advance(1s);
    CHECK(rig.resolver.asked() == asked + 1);
    for (int i = 0; i < 60; ++i) { // a minute of unrest
        rig.watch->nudge();
        rig.answering(5s);
    }
    CHECK(rig.resolver.asked() <= asked + 12);
    CHECK(rig.set == Set{kA.to_string()});
}

TEST_CASE("after a suspend a peer that moved is found as soon as it is missed") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.begin(profile_with("vpn.example:51820", 25));
    rig.device.peer.persistent_keepalive = 25;
    rig.answering(1min);
    rig.time.sleep(8h); // no timer fires meanwhile
    rig.resolver.forget("vpn.example");
    rig.resolver.know("vpn.example", "192.0.2.2");
    rig.watch->doubt_all();
    rig.unanswered(5s);
    CHECK(rig.set == Set{kA.to_string(), kB.to_string()});
}

TEST_CASE("without IPv6 its addresses are passed over") {
    Rig rig;
    rig.resolver.know("vpn.example", "2001:db8::1");
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.watch->start(profile_with("vpn.example:51820"), {}, [] {});
    CHECK(rig.watch->resolved().at(key(1)) == kSix);
    CHECK(rig.watch->allow_ipv6(false));
    CHECK(rig.watch->resolved().at(key(1)) == kA);
    CHECK_FALSE(rig.watch->allow_ipv6(false));
}

TEST_CASE("look-ups take the path they are given") {
    Rig rig;
    rig.resolver.know("vpn.example", "192.0.2.1");
    rig.resolver.set_ttl(60s);
    const ports::LookupPath path{51820, {*IpAddress::parse("10.5.0.1")}};
    rig.begin(profile_with("vpn.example:51820"));
    CHECK(rig.resolver.last_path() == ports::LookupPath{});
    rig.watch->set_path(path);
    rig.answering(2min);
    CHECK(rig.resolver.last_path() == path);
}
