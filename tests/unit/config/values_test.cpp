// SPDX-License-Identifier: MIT
#include "common/config/values.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace wgd;

namespace {

const std::string kKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="; // wg(8)'s own example

ValueError key_error(std::string_view text) {
    std::array<std::uint8_t, 32> bytes{};
    const auto parsed = parse_key(text, bytes);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find(text.substr(0, 8)) == std::string::npos); // never shown
    return parsed.error();
}

template <class T>
ValueError error_of(const Parsed<T>& parsed) {
    REQUIRE_FALSE(parsed);
    return parsed.error();
}

std::string reread(std::string_view text) {
    const auto spec = parse_endpoint(text);
    if (!spec) return "error at " + std::to_string(spec.error().offset);
    const auto numeric = spec->numeric();
    return spec->host + "|" + spec->scope + "|" + std::to_string(spec->port) + "|" +
           (numeric ? numeric->to_string() : "look-up");
}

} // namespace

TEST_CASE("keys: what is wrong, where, and nothing of the key") {
    std::array<std::uint8_t, 32> bytes{};
    CHECK(parse_key(kKey, bytes));
    CHECK(key_error(kKey.substr(0, 43)).message.find("'='") != std::string::npos);
    CHECK(key_error(kKey.substr(0, 20)).message.find("this has 20") != std::string::npos);
    CHECK(key_error(kKey + "A").message.find("this has 45") != std::string::npos);
    CHECK(key_error(std::string(64, 'a')).message.find("hexadecimal") != std::string::npos);
    auto strange = kKey;
    strange[12] = '*';
    CHECK(key_error(strange).offset == 12);
    CHECK(key_error(strange).message.find("character 13") != std::string::npos);
    auto trailing = kKey;
    trailing[42] = 'l'; // unused bits not zero
    CHECK(key_error(trailing).offset == 42);
    auto early = kKey;
    early[10] = '=';
    CHECK(key_error(early).offset == 10);
    auto no_pad = kKey;
    no_pad[43] = 'A';
    CHECK(key_error(no_pad).offset == 43);
}

TEST_CASE("ports") {
    CHECK(parse_port("0") == std::uint16_t{0});
    CHECK(parse_port("65535") == std::uint16_t{65535});
    CHECK(parse_port("+5") == std::uint16_t{5});
    CHECK(parse_port("010") == std::uint16_t{10});
    CHECK(parse_port("domain") == std::uint16_t{53});
    for (const auto* bad :
         {"65536", "70000", "99999999999999999999999", "-1", "0x10", "5s", "+", "wireguard"})
        CHECK_FALSE(parse_port(bad));
}

TEST_CASE("marks") {
    CHECK(parse_fwmark("OFF") == 0U);
    CHECK(parse_fwmark("010") == 10U);
    CHECK(parse_fwmark("0xCa6c") == 0xca6cU);
    CHECK(parse_fwmark("4294967295") == 0xffffffffU);
    CHECK(error_of(parse_fwmark("0XCA6C")).suggestion == "0xCA6C");
    for (const auto* bad : {"0x", "-1", "4294967296", "0x1ffffffff", "ca6c", "0xg", "+1"})
        CHECK_FALSE(parse_fwmark(bad));
}

TEST_CASE("keepalives") {
    CHECK(parse_keepalive("Off") == std::uint16_t{0});
    CHECK(parse_keepalive("25") == std::uint16_t{25});
    CHECK(parse_keepalive("65535") == std::uint16_t{65535});
    CHECK(error_of(parse_keepalive("25s")).suggestion == "25");
    for (const auto* bad : {"65536", "0x19", "-1", "on"})
        CHECK_FALSE(parse_keepalive(bad));
}

TEST_CASE("MTU") {
    CHECK(parse_mtu("1420") == 1420U);
    CHECK(parse_mtu("576") == 576U);
    for (const auto* bad : {"0", "575", "65536", "1420b", "-1", "99999999999999999999999999"})
        CHECK_FALSE(parse_mtu(bad));
}

TEST_CASE("tables") {
    CHECK(parse_table("auto") == TableSpec(TableAuto{}));
    CHECK(parse_table("OFF") == TableSpec(TableOff{}));
    CHECK(parse_table("51820") == TableSpec(TableNumber{51820}));
    CHECK(parse_table("0x64") == TableSpec(TableNumber{100}));
    CHECK(parse_table("vpn-out") == TableSpec(TableName{"vpn-out"}));
    for (const auto* bad : {"0", "4294967296", "12a", "0xzz", "-x", "a/b", "a;b"})
        CHECK_FALSE(parse_table(bad));
}

TEST_CASE("addresses and allowed IPs") {
    CHECK(parse_address("10.0.0.2")->to_string() == "10.0.0.2/32");
    CHECK(parse_address("fd00::2")->to_string() == "fd00::2/128");
    CHECK(parse_address("10.0.0.2/255.255.255.0")->to_string() == "10.0.0.2/24");
    CHECK(parse_address("10.0.0.2/0.0.0.0")->to_string() == "10.0.0.2/0");
    CHECK_FALSE(parse_address("10.0.0.2/255.0.255.0"));
    CHECK_FALSE(parse_address("fd00::1/255.255.255.0"));
    CHECK(parse_allowed_ip("10.0.0.1/08")->to_string() == "10.0.0.1/8");
    CHECK(parse_allowed_ip("::ffff:1.2.3.4")->to_string() == "::ffff:1.2.3.4/128");
    CHECK_FALSE(parse_allowed_ip("10.0.0.0/255.0.0.0")); // wg(8) takes no dotted mask here
    CHECK(error_of(parse_allowed_ip("10.0.0.0/33")).offset == 9);
    CHECK(error_of(parse_allowed_ip("fd00::/129")).offset == 7);
    for (const auto* bad : {"10/8", "10.0.0.0/", "10.0.0.0/-1", "name/8", "/8", "1.2.3.4.5", "fd00:::/8"})
        CHECK_FALSE(parse_allowed_ip(bad));
}

TEST_CASE("endpoints: every form wg(8) takes") {
    CHECK(reread("192.0.2.1:51820") == "192.0.2.1||51820|192.0.2.1:51820");
    CHECK(reread("[2001:db8::1]:51820") == "2001:db8::1||51820|[2001:db8::1]:51820");
    CHECK(reread("2001:db8::1:51820") == "2001:db8::1||51820|[2001:db8::1]:51820"); // last colon
    CHECK(reread("[192.0.2.1]:1") == "192.0.2.1||1|192.0.2.1:1");
    CHECK(reread("[vpn.example.org]:1") == "vpn.example.org||1|look-up");
    CHECK(reread("vpn.example.org:https") == "vpn.example.org||443|look-up");
    CHECK(reread("vpn.example.org.:1") == "vpn.example.org.||1|look-up");
    CHECK(reread("localhost:1") == "localhost||1|look-up");
    CHECK(reread("127.1:1") == "127.1||1|127.0.0.1:1");
    CHECK(reread("2130706433:1") == "2130706433||1|127.0.0.1:1");
    CHECK(reread("[fe80::1%3]:1") == "fe80::1|3|1|[fe80::1%3]:1");
    CHECK(reread("[fe80::1%eth0]:1") == "fe80::1|eth0|1|look-up");
    CHECK(reread("192.0.2.1:0") == "192.0.2.1||0|192.0.2.1:0");
}

TEST_CASE("endpoints: what is wrong and where") {
    CHECK(reread("192.0.2.1") == "error at 9");
    CHECK(reread("192.0.2.1:") == "error at 9");
    CHECK(reread("192.0.2.1:70000") == "error at 10");
    CHECK(reread("[2001:db8::1:51820") == "error at 18");
    CHECK(reread("[2001:db8::1]51820") == "error at 13");
    CHECK(reread("[2001:db8::zz]:51820") == "error at 1");
    CHECK(reread("[fe80::1%]:1") == "error at 8");
    CHECK(reread("[fe80::1%a-very-long-interface]:1") == "error at 8");
    CHECK(reread("[vpn.example.org%eth0]:1") == "error at 16");
    CHECK(reread(":51820") == "error at 0");
    CHECK(reread("256.1.1.1:1") == "error at 0");
    CHECK(reread("1.2.3.4.5:1") == "error at 0");
    CHECK(reread("vpn..example:1") == "error at 0");
    CHECK(reread("http://vpn.example.org:1") == "error at 0");
    CHECK(reread("-bad.example:1") == "error at 0");
    CHECK(reread("[]:1") == "error at 1");
}

TEST_CASE("search domains") {
    CHECK(parse_search_domain("corp.example") == "corp.example");
    CHECK(parse_search_domain("~corp.example") == "~corp.example");
    CHECK(parse_search_domain("~.") == "~.");
    CHECK(parse_search_domain("_x.lan") == "_x.lan");
    for (const auto* bad : {"1.1.1", "1.1.1.256", "a..b", ".a", "-a", "a/b", "~", "1.1.1.1:53", "$(x)"})
        CHECK_FALSE(parse_search_domain(bad));
}

TEST_CASE("quoting hides keys and control characters") {
    CHECK(quote("plain") == "'plain'");
    CHECK(quote("a\x1b[31m") == "'a?[31m'");
    CHECK(quote(kKey).find("yAnz") == std::string::npos);
    CHECK(quote("x:" + kKey).find("5TF") == std::string::npos);
    CHECK(quote(std::string(500, '.')).size() < 60);
}
