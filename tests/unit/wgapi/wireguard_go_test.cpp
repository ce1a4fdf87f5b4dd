// SPDX-License-Identifier: MIT
// UapiClient and SystemClient against the stock userspace implementation. Skipped where that cannot be run.
#include <catch2/catch.hpp>

#include <cstdio>
#include <string>
#include <unistd.h>

#include "common/wgapi/system_client.hpp"
#include "tests/requirement/requirement.hpp"
#include "tests/unit/wgapi/wireguard_go.hpp"

using namespace wgd;
using test::output_of;
using test::WireguardGo;

namespace {

const std::string kName = "wgdt" + std::to_string(::getpid());

const std::string kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const std::string kPublic = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const std::string kPeer = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

} // namespace

TEST_CASE("what we set, wg shows; what wg sets, we get") {
    WireguardGo datapath(kName);
    auto client = SystemClient::open();
    REQUIRE(client);
    REQUIRE(client->list());
    CHECK(*client->list() == std::vector<std::string>{kName});

    const auto fresh = client->get(kName);
    REQUIRE(fresh);
    CHECK(fresh->private_key.is_zero());
    CHECK(fresh->peers.empty());

    DeviceDelta delta;
    delta.private_key = PrivateKey::from_base64(kPrivate);
    delta.listen_port = 0;
    delta.fwmark = 0xca6c;
    delta.replace_peers = true;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = *PublicKey::from_base64(kPeer);
    peer.preshared_key = PresharedKey::from_base64(kPrivate);
    peer.endpoint = Endpoint::parse("[2001:db8::1]:51820");
    peer.persistent_keepalive = 25;
    peer.replace_allowed_ips = true;
    peer.allowed_ips = {{*IpPrefix::parse("10.1.2.0/24"), false}, {*IpPrefix::parse("fd00::/8"), false}};
    const auto done = client->set(kName, delta);
    INFO((done ? "" : done.error().message));
    REQUIRE(done);

    CHECK(output_of("wg show " + kName + " private-key") == kPrivate + "\n");
    CHECK(output_of("wg show " + kName + " fwmark") == "0xca6c\n");
    CHECK(output_of("wg show " + kName + " preshared-keys") == kPeer + "\t" + kPrivate + "\n");
    CHECK(output_of("wg show " + kName + " endpoints") == kPeer + "\t[2001:db8::1]:51820\n");
    CHECK(output_of("wg show " + kName + " persistent-keepalive") == kPeer + "\t25\n");
    CHECK(output_of("wg show " + kName + " allowed-ips") == kPeer + "\t10.1.2.0/24 fd00::/8\n");

    CHECK(output_of("wg set " + kName + " listen-port 51999 fwmark off peer " + kPeer +
                    " persistent-keepalive off endpoint 192.0.2.7:7 allowed-ips 10.9.0.0/16 2>&1")
              .empty());
    const auto device = client->get(kName);
    REQUIRE(device);
    CHECK(device->name == kName);
    CHECK(device->public_key.to_base64() == kPublic);
    CHECK(device->listen_port == 51999);
    CHECK(device->fwmark == 0);
    REQUIRE(device->peers.size() == 1);
    CHECK(device->peers[0].persistent_keepalive == 0);
    CHECK(device->peers[0].endpoint->to_string() == "192.0.2.7:7");
    CHECK(device->peers[0].preshared_key.reveal_base64() == kPrivate);
    REQUIRE(device->peers[0].allowed_ips.size() == 1);
    CHECK(device->peers[0].allowed_ips[0].to_string() == "10.9.0.0/16");

    DeviceDelta removal;
    removal.peers.emplace_back().public_key = *PublicKey::from_base64(kPeer);
    removal.peers[0].remove = true;
    REQUIRE(client->set(kName, removal));
    CHECK(client->get(kName)->peers.empty());
}

TEST_CASE("update_only of a peer that is not there does nothing") {
    WireguardGo datapath(kName);
    UapiClient client;
    DeviceDelta delta;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = *PublicKey::from_base64(kPeer);
    peer.update_only = true;
    peer.persistent_keepalive = 3;
    REQUIRE(client.set(kName, delta));
    CHECK(client.get(kName)->peers.empty());
}

TEST_CASE("two thousand peers in one request and one reply") {
    WireguardGo datapath(kName);
    UapiClient client;
    DeviceDelta delta;
    for (std::uint32_t i = 1; i <= 2000; ++i) {
        std::array<std::uint8_t, 32> key{};
        store_be(key.data(), i);
        auto& peer = delta.peers.emplace_back();
        peer.public_key = PublicKey(key);
        peer.allowed_ips = {{IpPrefix::host(IpAddress::v4(
                                 {10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)})),
                             false}};
    }
    REQUIRE(client.set(kName, delta));
    const auto device = client.get(kName);
    REQUIRE(device);
    CHECK(device->peers.size() == 2000);
}

TEST_CASE("the datapath goes: its device is no more") {
    { WireguardGo datapath(kName); }
    CHECK(UapiClient().get(kName).error().code == ErrorCode::kNotFound);
}

std::string test::missing_requirement() {
    return enter_own_namespaces();
}
