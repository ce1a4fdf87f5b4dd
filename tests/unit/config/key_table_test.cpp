// SPDX-License-Identifier: MIT
#include "common/config/key_table.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace wgd;

namespace {
std::string guess(std::string_view text) {
    const auto* key = nearest_key(text);
    return key == nullptr ? "" : std::string(key->name);
}
} // namespace

TEST_CASE("keys are found without regard to case") {
    CHECK(find_key("privatekey")->id == KeyId::kPrivateKey);
    CHECK(find_key("PRIVATE KEY")->id == KeyId::kPrivateKey);
    CHECK(find_key("allowedips")->name == "AllowedIPs");
    CHECK(find_key("AllowedIP") == nullptr);
    CHECK(find_key("") == nullptr);
}

TEST_CASE("every id stands at its own place in the table") {
    for (const std::string_view name :
         {"PrivateKey", "ListenPort", "FwMark", "Address", "DNS", "MTU", "Table", "PreUp", "PostUp",
          "PreDown", "PostDown", "SaveConfig", "PublicKey", "PresharedKey", "AllowedIPs", "Endpoint",
          "PersistentKeepalive"}) {
        REQUIRE(find_key(name) != nullptr);
        CHECK(find_key(name)->name == name);
        CHECK(guess(name) == name);
    }
}

TEST_CASE("what was probably meant") {
    CHECK(guess("AllowedIP") == "AllowedIPs");
    CHECK(guess("Allowed-IPs") == "AllowedIPs");
    CHECK(guess("allowed_ips") == "AllowedIPs");
    CHECK(guess("Adress") == "Address");
    CHECK(guess("PreSharedKeys") == "PresharedKey");
    CHECK(guess("PrvateKey") == "PrivateKey");
    CHECK(guess("EndPiont") == "Endpoint");
    CHECK(guess("PersistentKeepAliveInterval") == "PersistentKeepalive");
    CHECK(guess("Keepalive") == "PersistentKeepalive");
    CHECK(guess("Post Up") == "PostUp");
    CHECK(guess("Nameservers") == "DNS");
    CHECK(guess("FirewallMark") == "FwMark");
    CHECK(guess("Jc").empty());
    CHECK(guess("Description").empty());
    CHECK(guess("").empty());
    CHECK(guess(std::string(100000, 'P')).empty());
}

TEST_CASE("section headers") {
    CHECK(parse_section("[interface]") == Section::kInterface);
    CHECK(parse_section("[ PEER ]") == Section::kPeer);
    CHECK(parse_section("[Peers]") == Section::kNone);
    CHECK(parse_section("[Peer]x") == Section::kNone);
    CHECK(nearest_section("[Peers]") == "[Peer]");
    CHECK(nearest_section("[Inteface]") == "[Interface]");
    CHECK(nearest_section("[WebServer]").empty());
}
