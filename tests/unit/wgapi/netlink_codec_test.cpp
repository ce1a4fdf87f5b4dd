// SPDX-License-Identifier: MIT
// The generic netlink family's attributes, byte by byte (compat C9). The numbers are written out here rather
// than taken from <linux/wireguard.h>, so that a slip in the codec cannot hide.
#include "common/wgapi/netlink_codec.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "common/wgapi/netlink_attributes.hpp"

using namespace wgd;
using wgnl::Attribute;
using wgnl::AttributeReader;
using wgnl::AttributeWriter;

namespace {

const PublicKey kKeyA(*PublicKey::from_hex(std::string(64, 'a')));
const PublicKey kKeyB(*PublicKey::from_hex(std::string(64, 'b')));

void add(SecretBytes& out, std::initializer_list<std::uint8_t> bytes) {
    out.insert(out.end(), bytes);
}
void add(SecretBytes& out, std::size_t count, std::uint8_t byte) {
    out.insert(out.end(), count, byte);
}

std::vector<Attribute> attributes(ByteView bytes) {
    std::vector<Attribute> out;
    AttributeReader reader(bytes);
    for (Attribute each; reader.next(each);)
        out.push_back(each);
    REQUIRE_FALSE(reader.malformed());
    return out;
}

std::optional<Attribute> find(ByteView bytes, std::uint16_t type) {
    for (const auto& each : attributes(bytes))
        if (each.type == type) return each;
    return std::nullopt;
}

std::size_t count(ByteView list) {
    return attributes(list).size();
}

DeviceDelta with_allowed_ips(std::size_t ips) {
    DeviceDelta delta;
    delta.replace_peers = true;
    delta.listen_port = 1;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = kKeyA;
    peer.update_only = true;
    peer.preshared_key = PresharedKey{};
    peer.replace_allowed_ips = true;
    for (std::size_t i = 0; i < ips; ++i)
        peer.allowed_ips.push_back(
            {IpPrefix::host(IpAddress::v4({10, static_cast<std::uint8_t>(i >> 16),
                                           static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)})),
             false});
    return delta;
}

} // namespace

TEST_CASE("SET_DEVICE, every attribute") {
    DeviceDelta delta;
    delta.private_key = PrivateKey::from_hex(std::string(64, 'c'));
    delta.listen_port = 51820;
    delta.fwmark = 0xca6c;
    delta.replace_peers = true;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = kKeyA;
    peer.preshared_key = PresharedKey::from_hex(std::string(64, 'd'));
    peer.endpoint = Endpoint::parse("192.0.2.1:51820");
    peer.persistent_keepalive = 25;
    peer.replace_allowed_ips = true;
    peer.allowed_ips = {{*IpPrefix::parse("10.0.0.0/8"), false}, {*IpPrefix::parse("fd00::/64"), true}};

    SecretBytes expected;
    add(expected, {8, 0, 2, 0, 'w', 'g', '0', 0}); // IFNAME
    add(expected, {36, 0, 3, 0});                  // PRIVATE_KEY
    add(expected, 32, 0xcc);
    add(expected, {6, 0, 6, 0, 0x6c, 0xca, 0, 0});     // LISTEN_PORT 51820
    add(expected, {8, 0, 7, 0, 0x6c, 0xca, 0, 0});     // FWMARK
    add(expected, {8, 0, 5, 0, 1, 0, 0, 0});           // FLAGS: REPLACE_PEERS
    add(expected, {196, 0, 8, 0x80, 192, 0, 0, 0x80}); // PEERS, one peer
    add(expected, {36, 0, 1, 0});                      // PUBLIC_KEY
    add(expected, 32, 0xaa);
    add(expected, {8, 0, 3, 0, 2, 0, 0, 0}); // FLAGS: REPLACE_ALLOWEDIPS
    add(expected, {36, 0, 2, 0});            // PRESHARED_KEY
    add(expected, 32, 0xdd);
    add(expected,
        {20, 0, 4, 0, 2, 0, 0xca, 0x6c, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}); // ENDPOINT sockaddr_in
    add(expected, {6, 0, 5, 0, 25, 0, 0, 0});                                   // KEEPALIVE
    add(expected, {80, 0, 9, 0x80});                                            // ALLOWEDIPS
    add(expected, {28, 0, 0, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 0, 5, 0, 3, 0, 8, 0, 0, 0});
    add(expected, {48, 0, 0, 0x80, 6, 0, 1, 0, 10, 0, 0, 0, 20, 0, 2, 0, 0xfd});
    add(expected, 15, 0);
    add(expected, {5, 0, 3, 0, 64, 0, 0, 0, 8, 0, 4, 0, 1, 0, 0, 0}); // FLAGS: REMOVE_ME

    const auto messages = wgnl::encode_set("wg0", delta);
    REQUIRE(messages.size() == 1);
    CHECK(messages[0] == expected);
}

TEST_CASE("SET_DEVICE of nothing is the name alone; absent is not zero") {
    const auto messages = wgnl::encode_set("wg0", {});
    REQUIRE(messages.size() == 1);
    CHECK(messages[0] == wgnl::encode_get("wg0"));
}

TEST_CASE("a removed peer carries nothing but its key and the flag") {
    DeviceDelta delta;
    auto& peer = delta.peers.emplace_back();
    peer.public_key = kKeyA;
    peer.remove = true;
    peer.update_only = true;
    peer.persistent_keepalive = 1;
    peer.allowed_ips = {{*IpPrefix::parse("10.0.0.0/8"), false}};
    const auto message = wgnl::encode_set("wg0", delta).at(0);
    const auto peers = find(message, 8);
    REQUIRE(peers);
    const auto only = attributes(attributes(peers->value).at(0).value);
    REQUIRE(only.size() == 2);
    CHECK(only[0].type == 1);
    CHECK(only[1].as<std::uint32_t>() == 1U);
}

TEST_CASE("a long SET is cut into messages of bounded size") {
    const std::size_t limit = GENERATE(256, 1000, 4096, 16384);
    const auto delta = with_allowed_ips(2000);
    const auto messages = wgnl::encode_set("wg0", delta, limit);
    REQUIRE(messages.size() > 1);
    std::vector<IpPrefix> seen;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CAPTURE(i);
        CHECK(messages[i].size() <= limit);
        CHECK(find(messages[i], 2)->as_string() == "wg0");
        CHECK(find(messages[i], 5).has_value() == (i == 0)); // device flags: in the first one only
        CHECK(find(messages[i], 6).has_value() == (i == 0));
        const auto peers = find(messages[i], 8);
        REQUIRE(peers);
        REQUIRE(count(peers->value) == 1);
        const auto peer = attributes(peers->value)[0].value;
        CHECK(find(peer, 1)->value.size() == 32);
        CHECK(find(peer, 2).has_value() == (i == 0));
        // UPDATE_ONLY stays, or a later piece would create the peer; REPLACE_ALLOWEDIPS is said once.
        CHECK(find(peer, 3)->as<std::uint32_t>() == (i == 0 ? 6U : 4U));
        for (const auto& ip : attributes(find(peer, 9)->value))
            seen.push_back(IpPrefix::host(*IpAddress::from_bytes(find(ip.value, 2)->value)));
    }
    REQUIRE(seen.size() == 2000);
    for (std::size_t i = 0; i < seen.size(); ++i)
        REQUIRE(seen[i] == delta.peers[0].allowed_ips[i].prefix);
}

TEST_CASE("ten thousand peers: all of them, in order, every nest within 16 bits") {
    DeviceDelta delta;
    for (std::uint32_t i = 0; i < 10000; ++i) {
        std::array<std::uint8_t, 32> key{};
        store_le(key.data(), i);
        auto& peer = delta.peers.emplace_back();
        peer.public_key = PublicKey(key);
        peer.allowed_ips = {{*IpPrefix::parse("10.0.0.0/8"), false}};
    }
    std::uint32_t next = 0;
    for (const auto& message : wgnl::encode_set("wg0", delta, 1u << 30)) { // a limit no nest could have
        CHECK(message.size() < 65536);
        for (const auto& peer : attributes(find(message, 8)->value))
            REQUIRE(load_le<std::uint32_t>(find(peer.value, 1)->value.data()) == next++);
    }
    CHECK(next == 10000);
}

namespace {

// A message of a dump, as the kernel builds it.
struct Message {
    AttributeWriter out;
    Message& device() {
        out.put_int<std::uint32_t>(1, 7);
        out.put_string(2, "wg0");
        out.put(3, Bytes(32, 0xcc));
        out.put(4, Bytes(32, 0xee));
        out.put_int<std::uint16_t>(6, 51820);
        out.put_int<std::uint32_t>(7, 16);
        return *this;
    }
};

void put_peer(AttributeWriter& out, const PublicKey& key, bool whole,
              std::initializer_list<const char*> ips) {
    const auto nest = out.begin(0);
    out.put(1, key.bytes());
    if (whole) {
        out.put(2, Bytes(32, 0xdd));
        Bytes stamp(16);
        store_le<std::uint64_t>(stamp.data(), 1700000000);
        store_le<std::uint64_t>(stamp.data() + 8, 5);
        out.put(6, stamp);
        out.put_int<std::uint16_t>(5, 25);
        out.put_int<std::uint64_t>(8, 111);
        out.put_int<std::uint64_t>(7, 222);
        out.put_int<std::uint32_t>(10, 1);
        out.put(4, Bytes{2, 0, 0xca, 0x6c, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    }
    const auto list = out.begin(9);
    for (const auto* text : ips) {
        const auto prefix = *IpPrefix::parse(text);
        const auto ip = out.begin(0);
        out.put_int<std::uint8_t>(3, static_cast<std::uint8_t>(prefix.length()));
        out.put_int<std::uint16_t>(1, prefix.family() == Family::kIpv4 ? 2 : 10);
        out.put(2, prefix.address().bytes());
        out.end(ip);
    }
    out.end(list);
    out.end(nest);
}

} // namespace

TEST_CASE("GET_DEVICE in one message") {
    Message message;
    message.device();
    const auto peers = message.out.begin(8);
    put_peer(message.out, kKeyA, true, {"10.0.0.0/8", "fd00::/64"});
    put_peer(message.out, kKeyB, true, {});
    message.out.end(peers);
    wgnl::DeviceDump dump;
    REQUIRE(dump.add(std::move(message.out).take()));
    const auto device = std::move(dump).finish();
    CHECK(device.ifindex == 7U);
    CHECK(device.name == "wg0");
    CHECK(device.private_key.reveal_hex() == std::string(64, 'c'));
    CHECK(device.public_key.to_hex() == std::string(64, 'e'));
    CHECK(device.listen_port == 51820);
    CHECK(device.fwmark == 16);
    REQUIRE(device.peers.size() == 2);
    const auto& peer = device.peers[0];
    CHECK(peer.public_key == kKeyA);
    CHECK(peer.preshared_key.reveal_hex() == std::string(64, 'd'));
    CHECK(peer.endpoint->to_string() == "192.0.2.1:51820");
    CHECK(peer.persistent_keepalive == 25);
    CHECK(peer.latest_handshake.time_since_epoch() == std::chrono::nanoseconds(1700000000000000005));
    CHECK(peer.tx_bytes == 111);
    CHECK(peer.rx_bytes == 222);
    REQUIRE(peer.allowed_ips.size() == 2);
    CHECK(peer.allowed_ips[1].to_string() == "fd00::/64");
}

TEST_CASE("GET_DEVICE in pieces: a peer that was cut is put together again") {
    wgnl::DeviceDump dump;
    Message first;
    first.device();
    auto peers = first.out.begin(8);
    put_peer(first.out, kKeyA, true, {"10.0.0.1/32"});
    put_peer(first.out, kKeyB, true, {"10.0.0.2/32"});
    first.out.end(peers);
    REQUIRE(dump.add(std::move(first.out).take()));
    Message second;
    peers = second.out.begin(8);
    put_peer(second.out, kKeyB, false, {"10.0.0.3/32"});
    put_peer(second.out, kKeyA, false, {"10.0.0.4/32"}); // not adjacent: a peer of its own
    second.out.end(peers);
    REQUIRE(dump.add(std::move(second.out).take()));
    const auto device = std::move(dump).finish();
    REQUIRE(device.peers.size() == 3);
    REQUIRE(device.peers[1].allowed_ips.size() == 2);
    CHECK(device.peers[1].allowed_ips[1].to_string() == "10.0.0.3/32");
    CHECK(device.peers[1].persistent_keepalive == 25);
    CHECK(device.listen_port == 51820);
}

TEST_CASE("GET_DEVICE of a malformed message is kProtocol, at every length") {
    Message message;
    message.device();
    const auto peers = message.out.begin(8);
    put_peer(message.out, kKeyA, true, {"10.0.0.0/8"});
    message.out.end(peers);
    const auto bytes = std::move(message.out).take();
    std::size_t refused = 0;
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        wgnl::DeviceDump dump;
        const auto added = dump.add(ByteView(bytes.data(), length));
        if (!added) {
            CHECK(added.error().code == ErrorCode::kProtocol);
            ++refused;
        }
    }
    CHECK(refused > bytes.size() - 30); // a cut between two attributes of the device is no error

    const auto refuses = [](std::uint16_t type, const Bytes& value) {
        AttributeWriter out;
        out.put(type, value);
        wgnl::DeviceDump dump;
        return !dump.add(std::move(out).take());
    };
    CHECK(refuses(1, Bytes(3)));
    CHECK(refuses(3, Bytes(31)));
    CHECK(refuses(4, Bytes(33)));
    CHECK(refuses(6, Bytes(4)));
    CHECK(refuses(8, Bytes{4, 0, 0, 0})); // a peer without a key
    CHECK_FALSE(refuses(99, Bytes(5)));   // of a newer kernel
}
