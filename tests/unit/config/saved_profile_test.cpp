// SPDX-License-Identifier: MIT
// What a save changes in a profile's text, and what it must not.
#include <algorithm>
#include <catch2/catch.hpp>

#include "common/config/parser.hpp"
#include "common/config/saved_profile.hpp"

using namespace wgd;

namespace {

const std::string kKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const std::string kOtherKey = "qLnMIVZaPZ9TDxCUpKqCvuGRXqbwQgIjWY+4zd0fcGg=";
const std::string kPeerA = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const std::string kPeerB = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
const std::string kPsk = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

const std::string kText = "# Our way into the office\n"
                          "[Interface]\n"
                          "PrivateKey = " +
                          kKey +
                          " # secret\n"
                          "Address = 10.1.0.1/24\n"
                          "ListenPort=51820\n"
                          "DNS = 10.1.0.53, corp.lan # ours\n"
                          "PostUp = echo up # %i\n"
                          "\n"
                          "# friendly_name = office\n"
                          "[Peer]\n"
                          "PublicKey = " +
                          kPeerA +
                          "\n"
                          "AllowedIPs = 10.1.0.0/24, 10.2.0.0/16   # the lab\n"
                          "Endpoint = vpn.example.net:51820\n"
                          "PersistentKeepalive = 25\n";

// The tunnel that kText makes.
struct Running {
    explicit Running(const std::string& from)
        : text(from)
        , profile(*parse(text, *ProfileName::parse("t")).profile) {
        device.private_key = profile.private_key ? profile.private_key->clone() : PrivateKey();
        device.public_key = derive_public_key(device.private_key);
        device.listen_port = profile.listen_port.value_or(40404);
        device.fwmark = profile.fwmark.value_or(0);
        for (const ProfilePeer& peer : profile.peers) {
            WgPeer& now = device.peers.emplace_back();
            now.public_key = peer.public_key;
            now.persistent_keepalive = peer.persistent_keepalive.value_or(0);
            now.endpoint = Endpoint{*IpAddress::parse("203.0.113.9"), 51820, 0};
            if (peer.preshared_key) now.preshared_key = peer.preshared_key->clone();
            for (const AllowedIpDelta& ip : peer.allowed_ips)
                now.allowed_ips.push_back(ip.prefix);
        }
        addresses = profile.addresses;
        mtu = profile.mtu.value_or(1420);
    }
    SavedProfile save() {
        auto saved = save_profile(text, profile, {device, addresses, mtu, mark, ipv6});
        REQUIRE(saved);
        // It can be read again, and saving that changes nothing any more.
        const std::string now(saved->text.begin(), saved->text.end());
        auto parsed = parse(now, *ProfileName::parse("t"));
        REQUIRE(parsed.profile);
        auto again = save_profile(now, *parsed.profile, {device, addresses, mtu, mark, ipv6});
        REQUIRE(again);
        CHECK(again->changes.empty());
        CHECK(again->text == saved->text);
        return std::move(*saved);
    }
    std::string text;
    Profile profile;
    WgDevice device;
    std::vector<IpPrefix> addresses;
    std::uint32_t mtu = 0;
    std::optional<std::uint32_t> mark;
    bool ipv6 = true;
};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const auto at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), with);
}

std::string plain(const SecretText& text) {
    return std::string(text.begin(), text.end());
}

} // namespace

TEST_CASE("a tunnel that is what its profile says is saved without a change") {
    Running tunnel(kText);
    SECTION("as it came up") {}
    SECTION("with an automatic mark") {
        tunnel.mark = tunnel.device.fwmark = 51820;
    }
    SECTION("with a derived MTU") {
        tunnel.mtu = 1380;
    }
    SECTION("with a peer that roamed: its name stays") {
        tunnel.device.peers[0].endpoint = Endpoint{*IpAddress::parse("198.51.100.1"), 1, 0};
    }
    const SavedProfile saved = tunnel.save();
    CHECK(saved.changes.empty());
    CHECK(plain(saved.text) == kText);
}

TEST_CASE("only the line that says otherwise changes") {
    Running tunnel(kText);
    std::string expected;
    SECTION("ListenPort") {
        tunnel.device.listen_port = 4242;
        expected = replaced(kText, "51820\nDNS", "4242\nDNS");
    }
    SECTION("PrivateKey") {
        tunnel.device.private_key = *PrivateKey::from_base64(kOtherKey);
        expected = replaced(kText, kKey, kOtherKey);
    }
    SECTION("FwMark") {
        tunnel.device.fwmark = 0x1234;
        expected = replaced(kText, "PostUp = echo up # %i\n", "PostUp = echo up # %i\nFwMark = 0x1234\n");
    }
    SECTION("Address") {
        tunnel.addresses.push_back(*IpPrefix::parse("10.9.0.1/32"));
        expected = replaced(kText, "10.1.0.1/24", "10.1.0.1/24, 10.9.0.1/32");
    }
    SECTION("AllowedIPs: its comment stays") {
        tunnel.device.peers[0].allowed_ips = {*IpPrefix::parse("10.3.0.0/16"),
                                              *IpPrefix::parse("10.1.0.0/24")};
        expected = replaced(kText, "10.1.0.0/24, 10.2.0.0/16", "10.1.0.0/24, 10.3.0.0/16");
    }
    SECTION("PersistentKeepalive") {
        tunnel.device.peers[0].persistent_keepalive = 0;
        expected = replaced(kText, "PersistentKeepalive = 25\n", "");
    }
    SECTION("PresharedKey") {
        tunnel.device.peers[0].preshared_key = *PresharedKey::from_base64(kPsk);
        expected = kText + "PresharedKey = " + kPsk + "\n";
    }
    SECTION("a peer more") {
        WgPeer& peer = tunnel.device.peers.emplace_back();
        peer.public_key = *PublicKey::from_base64(kPeerB);
        peer.allowed_ips = {*IpPrefix::parse("10.7.0.0/16")};
        peer.endpoint = Endpoint{*IpAddress::parse("2001:db8::7"), 7, 0};
        expected = kText + "\n[Peer]\nPublicKey = " + kPeerB +
                   "\nAllowedIPs = 10.7.0.0/16\nEndpoint = [2001:db8::7]:7\n";
    }
    SECTION("a peer less") {
        tunnel.device.peers.clear();
        const SavedProfile saved = tunnel.save();
        CHECK(saved.changes.size() == 1);
        CHECK(plain(saved.text).find(kPeerA) == std::string::npos);
        CHECK(plain(saved.text).rfind(kText.substr(0, kText.find("\n# friendly")), 0) == 0);
        return;
    }
    const SavedProfile saved = tunnel.save();
    CHECK(saved.changes.size() == 1);
    CHECK(plain(saved.text) == expected);
    for (const std::string& change : saved.changes)
        for (const std::string& secret : {kKey, kOtherKey, kPsk})
            CHECK(change.find(secret) == std::string::npos);
}

TEST_CASE("an endpoint that is an address follows the peer") {
    Running tunnel(replaced(kText, "vpn.example.net:51820", "203.0.113.9:51820"));
    CHECK(tunnel.save().changes.empty());
    tunnel.device.peers[0].endpoint = Endpoint{*IpAddress::parse("198.51.100.1"), 1, 0};
    CHECK(plain(tunnel.save().text) == replaced(kText, "vpn.example.net:51820", "198.51.100.1:1"));
}

TEST_CASE("a key that a hook sets stays out, one that a person set goes in") {
    const std::string line = "PrivateKey = " + kKey + " # secret\n";
    Running hook(replaced(kText, line, ""));
    hook.device.private_key = *PrivateKey::from_base64(kKey);
    CHECK(hook.save().changes.empty());
    Running person(replaced(replaced(kText, line, ""), "PostUp = echo up # %i\n", ""));
    person.device.private_key = *PrivateKey::from_base64(kKey);
    CHECK(plain(person.save().text).find("PrivateKey = " + kKey) != std::string::npos);
}

TEST_CASE("addresses that the system could not have are not lost") {
    Running tunnel(replaced(kText, "10.1.0.1/24", "10.1.0.1/24, fd01::1/64"));
    tunnel.ipv6 = false;
    tunnel.addresses = {*IpPrefix::parse("10.1.0.1/24")};
    CHECK(tunnel.save().changes.empty());
}

TEST_CASE("lists on several lines stay on them") {
    const std::string text = "[Interface]\nPrivateKey = " + kKey +
                             "\n"
                             "Address = 10.1.0.1/24 # office\n"
                             "Address = fd01::1/64, 10.2.0.1/24 # lab\n"
                             "DNS = 10.1.0.53 # first\n"
                             "Address=10.3.0.1/255.255.255.0 # spelt our way\n"
                             "DNS = corp.lan # search\n"
                             "[Peer]\nPublicKey = " +
                             kPeerA +
                             "\n"
                             "AllowedIPs = 10.1.0.0/24,10.4.0.0/16 # near\n"
                             "AllowedIPs = fd01::/64 # IPv6\n"
                             "AllowedIPs = 10.5.0.1\n";
    Running tunnel(text);
    const auto prefix = [](const char* from) { return *IpPrefix::parse(from); };
    const auto drop = [&](std::vector<IpPrefix>& list, const char* what) {
        list.erase(std::find(list.begin(), list.end(), prefix(what)));
    };
    std::vector<IpPrefix>& ips = tunnel.device.peers[0].allowed_ips;
    std::string expected;
    SECTION("nothing changed") {
        CHECK(tunnel.save().changes.empty());
        return;
    }
    SECTION("one address of two on a line is gone") {
        drop(tunnel.addresses, "10.2.0.1/24");
        expected = replaced(text, "fd01::1/64, 10.2.0.1/24", "fd01::1/64");
    }
    SECTION("the only one of a line is gone, and the line with it") {
        drop(tunnel.addresses, "10.1.0.1/24");
        expected = replaced(text, "Address = 10.1.0.1/24 # office\n", "");
    }
    SECTION("one more") {
        tunnel.addresses.push_back(prefix("10.9.0.1/32"));
        expected = replaced(text, "1/255.255.255.0 #", "1/255.255.255.0, 10.9.0.1/32 #");
    }
    SECTION("all others: the first line takes them") {
        tunnel.addresses = {prefix("10.8.0.1/24"), prefix("10.9.0.1/24")};
        expected = replaced(text, "Address = 10.1.0.1/24 #", "Address = 10.8.0.1/24, 10.9.0.1/24 #");
        expected = replaced(expected, "Address = fd01::1/64, 10.2.0.1/24 # lab\n", "");
        expected = replaced(expected, "Address=10.3.0.1/255.255.255.0 # spelt our way\n", "");
    }
    SECTION("none") {
        tunnel.addresses.clear();
        expected = replaced(text, "Address = 10.1.0.1/24 # office\n", "");
        expected = replaced(expected, "Address = fd01::1/64, 10.2.0.1/24 # lab\n", "");
        expected = replaced(expected, "Address=10.3.0.1/255.255.255.0 # spelt our way\n", "");
    }
    SECTION("allowed IPs: one goes, one comes") {
        drop(ips, "10.4.0.0/16");
        ips.push_back(prefix("10.6.0.0/16"));
        expected = replaced(text, "10.1.0.0/24,10.4.0.0/16", "10.1.0.0/24");
        expected = replaced(expected, "= 10.5.0.1\n", "= 10.5.0.1, 10.6.0.0/16\n");
    }
    SECTION("allowed IPs: a whole line goes") {
        drop(ips, "fd01::/64");
        expected = replaced(text, "AllowedIPs = fd01::/64 # IPv6\n", "");
    }
    const SavedProfile saved = tunnel.save();
    CHECK(saved.changes.size() == 1);
    CHECK(plain(saved.text) == expected);
}
