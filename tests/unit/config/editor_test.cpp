// SPDX-License-Identifier: MIT
#include "common/config/editor.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/config/parser.hpp"
#include "tests/source_tree/source_tree.hpp"

using namespace wgd;

namespace {

const std::string kA = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
const std::string kB = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const auto kKeyA = *PublicKey::from_base64(kA);
const auto kKeyB = *PublicKey::from_base64(kB);
const std::string kPeerA = "[Peer]\nPublicKey = " + kA + "\nAllowedIPs = 10.0.0.1/32\n";
const std::string kPeerB = "[Peer]\nPublicKey = " + kB + "\nAllowedIPs = 10.0.0.2/32\n";

std::string str(const Result<SecretText>& text) {
    REQUIRE(text);
    return std::string(*text);
}

} // namespace

TEST_CASE("a key is replaced in place: spelling, spacing and comment stay") {
    const std::string text =
        "# head\n[Interface]\n  listenport\t=  1   # why\n\n[Peer]\nPublicKey=" + kA + "\n";
    CHECK(str(set_interface_key(text, KeyId::kListenPort, "51820")) ==
          "# head\n[Interface]\n  listenport\t=  51820   # why\n\n[Peer]\nPublicKey=" + kA + "\n");
    CHECK(str(set_interface_key(text, KeyId::kListenPort, std::nullopt)) ==
          "# head\n[Interface]\n\n[Peer]\nPublicKey=" + kA + "\n");
}

TEST_CASE("an empty value is filled, line end and comment stay") {
    CHECK(str(set_interface_key("[Interface]\r\nMTU=\r\n", KeyId::kMtu, "1400")) ==
          "[Interface]\r\nMTU= 1400\r\n");
    CHECK(str(set_interface_key("[Interface]\nMTU =# auto\n", KeyId::kMtu, "1400")) ==
          "[Interface]\nMTU = 1400# auto\n");
}

TEST_CASE("a new key goes behind the last one of its section") {
    CHECK(str(set_interface_key("[Interface]\nMTU = 1\n# note\n\n" + kPeerA, KeyId::kTable, "off")) ==
          "[Interface]\nMTU = 1\nTable = off\n# note\n\n" + kPeerA);
    CHECK(str(set_interface_key("[Interface]", KeyId::kTable, "off")) == "[Interface]\nTable = off\n");
    CHECK(str(set_interface_key("[Interface]\r\nMTU = 1\r\n", KeyId::kTable, "off")) ==
          "[Interface]\r\nMTU = 1\r\nTable = off\r\n");
}

TEST_CASE("of a key's several lines one is left, in whichever [Interface] they stand") {
    CHECK(str(set_interface_key("[Interface]\nDNS=1.1.1.1\nMTU=1\nDNS=9.9.9.9\n" + kPeerA +
                                    "[Interface]\nDNS=a.b\n",
                                KeyId::kDns, "8.8.8.8, lan")) ==
          "[Interface]\nDNS=8.8.8.8, lan\nMTU=1\n" + kPeerA + "[Interface]\n");
}

TEST_CASE("hooks may hold '#', other values may not; no value breaks the line") {
    CHECK(str(set_interface_key("[Interface]\nPostUp = a # b\n", KeyId::kPostUp, "c # d")) ==
          "[Interface]\nPostUp = c # d\n");
    CHECK(set_interface_key("[Interface]\n", KeyId::kDns, "1.1.1.1 # x").error().code ==
          ErrorCode::kInvalidArgument);
    CHECK_FALSE(set_interface_key("[Interface]\n", KeyId::kPostUp, "a\nPrivateKey = x"));
    CHECK_FALSE(set_interface_key("[Interface]\n", KeyId::kEndpoint, "x:1"));
    CHECK_FALSE(set_interface_key(kPeerA, KeyId::kMtu, "1400"));
}

TEST_CASE("a peer's keys") {
    const std::string text = "[Interface]\n\n" + kPeerA + "\n" + kPeerB;
    CHECK(str(set_peer_key(text, kKeyA, KeyId::kEndpoint, "vpn.example.org:1")) ==
          "[Interface]\n\n" + kPeerA + "Endpoint = vpn.example.org:1\n\n" + kPeerB);
    CHECK(str(set_peer_key(text, kKeyB, KeyId::kAllowedIps, "::/0")).find("AllowedIPs = ::/0") !=
          std::string::npos);
    CHECK(set_peer_key(text, PublicKey{}, KeyId::kEndpoint, "x:1").error().code == ErrorCode::kNotFound);
    CHECK_FALSE(set_peer_key(text, kKeyA, KeyId::kMtu, "1"));
}

TEST_CASE("a removed peer takes its comment with it, and nothing else") {
    const std::string head = "[Interface]\nMTU = 1400\n";
    CHECK(str(remove_peer(head + "\n### Client a\n" + kPeerA + "\n### Client b\n" + kPeerB, kKeyA)) ==
          head + "\n### Client b\n" + kPeerB);
    CHECK(str(remove_peer(head + "\n### Client a\n" + kPeerA + "\n### Client b\n" + kPeerB, kKeyB)) ==
          head + "\n### Client a\n" + kPeerA);
    CHECK(str(remove_peer(head + "### begin a ###\n" + kPeerA + "### end a ###\n### begin b ###\n" + kPeerB +
                              "### end b ###\n",
                          kKeyA)) == head + "### begin b ###\n" + kPeerB + "### end b ###\n");
    CHECK(str(remove_peer(head + "### begin a ###\n" + kPeerA + "### end a ###\n### begin b ###\n" + kPeerB +
                              "### end b ###\n",
                          kKeyB)) == head + "### begin a ###\n" + kPeerA + "### end a ###\n");
    CHECK(remove_peer(head, kKeyA).error().code == ErrorCode::kNotFound);
}

TEST_CASE("an added peer reads back as it was") {
    ProfilePeer peer;
    peer.public_key = kKeyB;
    peer.preshared_key = PresharedKey::from_base64(kA);
    peer.endpoint = EndpointSpec{"vpn.example.org", "", 51820, "vpn.example.org:51820"};
    peer.persistent_keepalive = 25;
    peer.allowed_ips = {{*IpPrefix::parse("10.0.0.2/32"), false}, {*IpPrefix::parse("fd00::/64"), false}};
    peer.name = "Bob";
    const auto text = str(add_peer("[Interface]\r\nMTU = 1400", peer));
    CHECK(text.find("MTU = 1400\r\n\r\n[Peer]\r\n") != std::string::npos);
    const auto outcome = parse(text, *ProfileName::parse("t"));
    REQUIRE(outcome.profile);
    CHECK(outcome.diagnostics.empty());
    const auto& back = outcome.profile->peers.at(0);
    CHECK(back.name == "Bob");
    CHECK(back.public_key == peer.public_key);
    CHECK(*back.preshared_key == *peer.preshared_key);
    CHECK(back.endpoint == peer.endpoint);
    CHECK(back.persistent_keepalive == 25);
    CHECK(back.allowed_ips.size() == 2);
}

TEST_CASE("an added peer cannot smuggle in lines") {
    ProfilePeer peer;
    peer.name = "x\nPostUp = evil";
    CHECK(add_peer("[Interface]\n", peer).error().code == ErrorCode::kInvalidArgument);
    peer.name.clear();
    peer.endpoint = EndpointSpec{"a", "", 1, "a:1\n[Interface]"};
    CHECK(add_peer("[Interface]\n", peer).error().code == ErrorCode::kInvalidArgument);
}

TEST_CASE("every golden profile: setting a key and adding and removing a peer leave the rest alone") {
    std::size_t seen = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(test::source_tree("tests/golden/profiles"))) {
        if (entry.path().extension() != ".conf") continue;
        CAPTURE(entry.path().filename().string());
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        ProfilePeer peer;
        peer.public_key = kKeyB;
        const auto more = str(add_peer(text, peer));
        CHECK(more.substr(0, text.size()) == text);
        const auto less = str(remove_peer(more, kKeyB));
        CHECK((less == text.substr(0, less.size()) || less.substr(0, text.size()) == text));
        const auto changed = str(set_interface_key(text, KeyId::kListenPort, "4711"));
        const auto outcome = parse(changed, *ProfileName::parse("t"));
        REQUIRE(outcome.profile);
        CHECK(outcome.profile->listen_port == 4711);
        CHECK(std::count(changed.begin(), changed.end(), '#') == std::count(text.begin(), text.end(), '#'));
        ++seen;
    }
    CHECK(seen >= 30);
}
