// SPDX-License-Identifier: MIT
#include "common/config/profile_delta.hpp"

#include <catch2/catch.hpp>

#include "common/config/parser.hpp"

using namespace wgd;

namespace {

const std::string kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const std::string kA = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const std::string kB = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

Profile profile(const std::string& text) {
    auto outcome = parse(text, *ProfileName::parse("t"), Dialect::kWg);
    REQUIRE(outcome.profile);
    return std::move(*outcome.profile);
}

WgPeer running(const std::string& key) {
    WgPeer peer;
    peer.public_key = *PublicKey::from_base64(key);
    return peer;
}

} // namespace

TEST_CASE("setconf clears what the file does not say, addconf leaves it") {
    const auto p = profile("[Peer]\nPublicKey=" + kA + "\nAllowedIPs=10.0.0.0/8\nEndpoint=192.0.2.1:1\n");
    const auto set = setconf_delta(p, numeric_endpoints(p));
    CHECK(set.private_key->is_zero());
    CHECK(set.listen_port == 0);
    CHECK(set.fwmark == 0);
    CHECK(set.replace_peers);
    REQUIRE(set.peers.size() == 1);
    CHECK(set.peers[0].replace_allowed_ips);
    CHECK(set.peers[0].endpoint->to_string() == "192.0.2.1:1");
    CHECK_FALSE(set.peers[0].preshared_key);

    const auto add = addconf_delta(p, {});
    CHECK_FALSE(add.private_key);
    CHECK_FALSE(add.listen_port);
    CHECK_FALSE(add.fwmark);
    CHECK_FALSE(add.replace_peers);
    CHECK_FALSE(add.peers.at(0).endpoint); // not resolved: left alone
}

TEST_CASE("syncconf keeps listed peers, removes the others, clears what went away") {
    const auto p = profile("[Interface]\nPrivateKey=" + kPrivate + "\nFwMark=1\n[Peer]\nPublicKey=" + kA +
                           "\nAllowedIPs=10.0.0.0/8\n");
    WgDevice now;
    now.peers.push_back(running(kB));
    now.peers.push_back(running(kA));
    now.peers[1].preshared_key = *PresharedKey::from_base64(kPrivate);
    now.peers[1].persistent_keepalive = 25;
    const auto delta = syncconf_delta(p, numeric_endpoints(p), now);
    CHECK_FALSE(delta.replace_peers);
    CHECK(delta.fwmark == 1);
    REQUIRE(delta.peers.size() == 2);
    CHECK(delta.peers[0].public_key == now.peers[0].public_key);
    CHECK(delta.peers[0].remove);
    CHECK_FALSE(delta.peers[1].remove);
    CHECK(delta.peers[1].preshared_key->is_zero());
    CHECK(delta.peers[1].persistent_keepalive == 0);
    CHECK(delta.peers[1].replace_allowed_ips);
}

TEST_CASE("syncconf of a file without peers removes all") {
    const auto p = profile("[Interface]\nListenPort=5\n");
    WgDevice now;
    now.peers.push_back(running(kA));
    const auto delta = syncconf_delta(p, {}, now);
    CHECK(delta.replace_peers);
    CHECK(delta.peers.empty());
}

TEST_CASE("signs of allowed IPs reach the device, replace depends on the last line") {
    const auto flag = [](const std::string& lines) {
        const auto p = profile("[Peer]\nPublicKey=" + kA + "\n" + lines);
        return addconf_delta(p, {}).peers.at(0).replace_allowed_ips;
    };
    CHECK(flag("AllowedIPs=10.0.0.0/8\n"));
    CHECK_FALSE(flag("AllowedIPs=+10.0.0.0/8\n"));
    CHECK_FALSE(flag("AllowedIPs=10.0.0.0/8, -11.0.0.0/8\n"));
    CHECK(flag("AllowedIPs=-10.0.0.0/8\nAllowedIPs=11.0.0.0/8\n"));
    const auto p = profile("[Peer]\nPublicKey=" + kA + "\nAllowedIPs=+10.0.0.0/8,-fd00::/8\n");
    const auto ips = addconf_delta(p, {}).peers.at(0).allowed_ips;
    REQUIRE(ips.size() == 2);
    CHECK_FALSE(ips[0].remove);
    CHECK(ips[1].remove);
}
