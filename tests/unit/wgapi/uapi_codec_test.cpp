// SPDX-License-Identifier: MIT
#include "common/wgapi/uapi_codec.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

using namespace wgd;

namespace {

const std::string kHexA(64, 'a');
const std::string kHexB(64, 'b');
const std::string kHexZero(64, '0');

DeviceDelta parse_delta(const std::string& body) {
    auto request = uapi::parse_request("set=1\n" + body + "\n");
    REQUIRE(request);
    REQUIRE(std::holds_alternative<uapi::SetRequest>(*request));
    return std::move(std::get<uapi::SetRequest>(*request).delta);
}

int parse_errno(const std::string& text) {
    const auto request = uapi::parse_request(text);
    return request ? 0 : request.error().sys_errno;
}

} // namespace

TEST_CASE("set: every key, as bytes") {
    DeviceDelta delta;
    delta.private_key = PrivateKey::from_hex(kHexA);
    delta.listen_port = 51820;
    delta.fwmark = 0xca6c;
    delta.replace_peers = true;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = *PublicKey::from_hex(kHexB);
    peer.update_only = true;
    peer.preshared_key = PresharedKey{};
    peer.endpoint = Endpoint::parse("[2001:db8::1]:443");
    peer.persistent_keepalive = 25;
    peer.replace_allowed_ips = true;
    peer.allowed_ips = {{*IpPrefix::parse("10.0.0.0/8"), false}, {*IpPrefix::parse("fd00::/64"), true}};
    auto& gone = delta.peers.emplace_back();
    gone.public_key = *PublicKey::from_hex(kHexA);
    gone.remove = true;
    gone.persistent_keepalive = 7; // ignored with remove

    const auto text = uapi::encode_set_request(delta);
    CHECK(std::string(text) == "set=1\nprivate_key=" + kHexA +
                                   "\nlisten_port=51820\nfwmark=51820\nreplace_peers=true\npublic_key=" +
                                   kHexB + "\nupdate_only=true\npreshared_key=" + kHexZero +
                                   "\nendpoint=[2001:db8::1]:443\npersistent_keepalive_interval=25\n"
                                   "replace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/64\n"
                                   "public_key=" +
                                   kHexA + "\nremove=true\n\n");

    SECTION("and the server reads the same back") {
        auto request = uapi::parse_request(text);
        REQUIRE(request);
        const auto& back = std::get<uapi::SetRequest>(*request).delta;
        CHECK(back.private_key == delta.private_key);
        CHECK(back.listen_port == delta.listen_port);
        CHECK(back.fwmark == delta.fwmark);
        CHECK(back.replace_peers);
        REQUIRE(back.peers.size() == 2);
        CHECK(back.peers[0].public_key == delta.peers[0].public_key);
        CHECK(back.peers[0].update_only);
        CHECK(back.peers[0].preshared_key->is_zero());
        CHECK(back.peers[0].endpoint == delta.peers[0].endpoint);
        CHECK(back.peers[0].persistent_keepalive == 25);
        CHECK(back.peers[0].replace_allowed_ips);
        REQUIRE(back.peers[0].allowed_ips.size() == 2);
        CHECK_FALSE(back.peers[0].allowed_ips[0].remove);
        CHECK(back.peers[0].allowed_ips[1].remove);
        CHECK(back.peers[0].allowed_ips[1].prefix.to_string() == "fd00::/64");
        CHECK(back.peers[1].remove);
    }
}

TEST_CASE("set: an empty delta is an empty request") {
    CHECK(uapi::encode_set_request({}) == "set=1\n\n");
    CHECK(parse_delta("").empty());
}

TEST_CASE("set: absent is not zero") {
    const auto delta = parse_delta("listen_port=0\nfwmark=0\nprivate_key=" + kHexZero + "\n");
    CHECK(delta.listen_port == 0);
    CHECK(delta.fwmark == 0);
    CHECK(delta.private_key->is_zero());
    CHECK_FALSE(parse_delta("listen_port=1\n").private_key);
}

TEST_CASE("set: strict in everything (compat C10)") {
    const std::string peer = "set=1\npublic_key=" + kHexA + "\n";
    const auto bad = GENERATE_COPY(values<std::string>({
        "set=1\nnonsense=1\n\n",
        "set=1\nlisten_port=65536\n\n",
        "set=1\nlisten_port=-1\n\n",
        "set=1\nlisten_port=+1\n\n",
        "set=1\nlisten_port= 1\n\n",
        "set=1\nlisten_port=\n\n",
        "set=1\nfwmark=0x10\n\n",
        "set=1\nfwmark=4294967296\n\n",
        "set=1\nreplace_peers=false\n\n",
        "set=1\nreplace_peers=1\n\n",
        "set=1\nprivate_key=abc\n\n",
        "set=1\nprivate_key=" + std::string(64, 'g') + "\n\n",
        "set=1\npublic_key=" + kHexA + "0\n\n",
        "set=1\nallowed_ip=10.0.0.0/8\n\n", // no peer yet
        "set=1\nupdate_only=true\n\n",
        "get=1\nlisten_port=1\n\n",
        peer + "listen_port=1\n\n", // a device key behind a peer
        peer + "replace_peers=true\n\n",
        peer + "remove=yes\n\n",
        peer + "update_only=false\n\n",
        peer + "replace_allowed_ips=\n\n",
        peer + "protocol_version=2\n\n",
        peer + "endpoint=example.org:51820\n\n",
        peer + "endpoint=1.2.3.4\n\n",
        peer + "endpoint=2001:db8::1:51820\n\n",
        peer + "endpoint=[fe80::1%eth0]:1\n\n", // no look-up given
        peer + "persistent_keepalive_interval=65536\n\n",
        peer + "persistent_keepalive_interval=off\n\n",
        peer + "allowed_ip=10.0.0.0/33\n\n",
        peer + "allowed_ip=\n\n",
        peer + "allowed_ip=-\n\n",
        peer + "allowed_ip=--10.0.0.0/8\n\n",
        peer + "errno=0\n\n",
    }));
    CAPTURE(bad);
    CHECK(parse_errno(bad) == EINVAL);
}

TEST_CASE("set: what is no request at all is EPROTO") {
    for (const std::string bad :
         {"", "\n", "\n\n", "hello\n\n", "get=2\n\n", "set\n\n", "set=1\nlisten_port\n\n", "set=1\n",
          "set=1\nlisten_port=1", "set=1\n\nlisten_port=1\n\n", "set=1\n\n\n"}) {
        CAPTURE(bad);
        CHECK(parse_errno(bad) == EPROTO);
    }
    CHECK(std::holds_alternative<uapi::GetRequest>(*uapi::parse_request("get=1\n\n")));
}

TEST_CASE("set: errors never quote a value") {
    const auto request = uapi::parse_request("set=1\nprivate_key=" + kHexA + "x\n\n");
    REQUIRE_FALSE(request);
    CHECK(request.error().message.find("aaaa") == std::string::npos);
    CHECK(request.error().message.find("line 2") != std::string::npos);
}

TEST_CASE("set: host bits of an allowed IP are cleared, repeated scalars take the last") {
    const auto delta = parse_delta("listen_port=1\nlisten_port=2\npublic_key=" + kHexA +
                                   "\nallowed_ip=10.1.2.3/8\nprotocol_version=1\n");
    CHECK(delta.listen_port == 2);
    CHECK(delta.peers.at(0).allowed_ips.at(0).prefix.to_string() == "10.0.0.0/8");
}

TEST_CASE("endpoints with an interface name as scope go through the look-up") {
    const auto lookup = [](std::string_view name) -> std::uint32_t { return name == "eth0" ? 7 : 0; };
    auto request =
        uapi::parse_request("set=1\npublic_key=" + kHexA + "\nendpoint=[fe80::1%eth0]:51820\n\n", lookup);
    REQUIRE(request);
    CHECK(std::get<uapi::SetRequest>(*request).delta.peers[0].endpoint->to_string() == "[fe80::1%7]:51820");
    CHECK_FALSE(
        uapi::parse_request("set=1\npublic_key=" + kHexA + "\nendpoint=[fe80::1%nope]:51820\n\n", lookup));
}

TEST_CASE("get: a reply, both ways") {
    WgDevice device;
    device.private_key = *PrivateKey::from_hex(kHexA);
    device.listen_port = 51820;
    device.fwmark = 16;
    auto& peer = device.peers.emplace_back();
    peer.public_key = *PublicKey::from_hex(kHexB);
    peer.preshared_key = *PresharedKey::from_hex(kHexA);
    peer.endpoint = Endpoint::parse("192.0.2.1:51820");
    peer.latest_handshake = WallTime(std::chrono::seconds(1700000000) + std::chrono::nanoseconds(5));
    peer.rx_bytes = 18446744073709551615ULL;
    peer.tx_bytes = 2;
    peer.persistent_keepalive = 25;
    peer.allowed_ips = {*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")};
    device.peers.emplace_back().public_key = *PublicKey::from_hex(kHexA);

    const auto reply = uapi::encode_get_reply(device);
    CHECK(std::string(reply) ==
          "private_key=" + kHexA + "\nlisten_port=51820\nfwmark=16\npublic_key=" + kHexB +
              "\npreshared_key=" + kHexA +
              "\nprotocol_version=1\nendpoint=192.0.2.1:51820\nlast_handshake_time_sec=1700000000\n"
              "last_handshake_time_nsec=5\ntx_bytes=2\nrx_bytes=18446744073709551615\n"
              "persistent_keepalive_interval=25\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\npublic_key=" +
              kHexA + "\npreshared_key=" + kHexZero +
              "\nprotocol_version=1\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\n"
              "rx_bytes=0\npersistent_keepalive_interval=0\nerrno=0\n\n");

    const auto back = uapi::parse_get_reply(reply);
    REQUIRE(back);
    CHECK(back->private_key == device.private_key);
    CHECK(back->public_key == derive_public_key(device.private_key));
    CHECK(back->listen_port == 51820);
    CHECK(back->fwmark == 16);
    REQUIRE(back->peers.size() == 2);
    CHECK(back->peers[0].preshared_key == device.peers[0].preshared_key);
    CHECK(back->peers[0].endpoint->to_string() == "192.0.2.1:51820");
    CHECK(back->peers[0].latest_handshake == device.peers[0].latest_handshake);
    CHECK(back->peers[0].rx_bytes == 18446744073709551615ULL);
    CHECK(back->peers[0].allowed_ips == device.peers[0].allowed_ips);
    CHECK(back->peers[1].allowed_ips.empty());
    CHECK_FALSE(back->peers[1].endpoint);
}

TEST_CASE("get: an unconfigured device") {
    CHECK(uapi::encode_get_reply({}) == "errno=0\n\n");
    const auto device = uapi::parse_get_reply("errno=0\n\n");
    REQUIRE(device);
    CHECK(device->private_key.is_zero());
    CHECK(device->public_key.is_zero());
}

TEST_CASE("get: keys of a newer datapath are skipped, malformed known ones are not") {
    CHECK(uapi::parse_get_reply("shiny=1\npublic_key=" + kHexA + "\nshiny=2\nerrno=0\n\n"));
    for (const std::string line : {"listen_port=x", "private_key=00", "public_key=00"})
        CHECK(uapi::parse_get_reply(line + "\nerrno=0\n\n").error().code == ErrorCode::kProtocol);
    for (const std::string line :
         {"endpoint=x", "allowed_ip=1.2.3.4/64", "rx_bytes=-1", "preshared_key=1",
          "last_handshake_time_sec=99999999999999", "last_handshake_time_nsec=1000000000"})
        CHECK(uapi::parse_get_reply("public_key=" + kHexA + "\n" + line + "\nerrno=0\n\n").error().code ==
              ErrorCode::kProtocol);
    CHECK(uapi::parse_get_reply("listen_port=1\n\n").error().code == ErrorCode::kProtocol); // no errno
    CHECK(uapi::parse_get_reply("junk\nerrno=0\n\n").error().code == ErrorCode::kProtocol);
    CHECK(uapi::parse_get_reply("").error().code == ErrorCode::kProtocol);
}

TEST_CASE("errno of either sign") {
    CHECK(uapi::parse_set_reply("errno=0\n\n"));
    CHECK(uapi::parse_set_reply("errno=-22\n\n").error().sys_errno == EINVAL);
    CHECK(uapi::parse_set_reply("errno=98\n\n").error().sys_errno == EADDRINUSE);
    CHECK(uapi::parse_set_reply("errno=-22\n\n").error().code == ErrorCode::kBackend);
    CHECK(uapi::parse_get_reply("errno=-5\n\n").error().sys_errno == EIO);
    CHECK(uapi::parse_set_reply("errno=--1\n\n").error().code == ErrorCode::kProtocol);
    CHECK(uapi::parse_set_reply("\n").error().code == ErrorCode::kProtocol);
    CHECK(uapi::encode_errno_reply(-22) == "errno=-22\n\n");
}

TEST_CASE("message_end finds the empty line however the bytes arrive") {
    const std::string stream = "set=1\nlisten_port=1\n\nget=1\n\n";
    std::size_t scanned = 0;
    for (std::size_t have = 0; have < 21; ++have) {
        CAPTURE(have);
        CHECK_FALSE(uapi::message_end(std::string_view(stream).substr(0, have), scanned));
    }
    CHECK(uapi::message_end(stream, scanned) == 21);
    scanned = 0;
    CHECK(uapi::message_end(std::string_view(stream).substr(21), scanned) == 7);
}
