// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <random>

#include "common/base/ip.hpp"

using namespace wgd;

TEST_CASE("an address parses in inet_pton's forms only") {
    CHECK(IpAddress::parse("10.0.0.1")->to_string() == "10.0.0.1");
    CHECK(IpAddress::parse("2001:DB8::1")->to_string() == "2001:db8::1");
    CHECK(IpAddress::parse("::ffff:1.2.3.4")->is_v6());
    for (const auto* bad : {"", "10", "10.1", "010.0.0.1", "1.2.3.4.5", "1.2.3.4 ", "::1%lo", "[::1]", "x"})
        CHECK_FALSE(IpAddress::parse(bad));
    CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("addresses are written as inet_ntop writes them") {
    std::mt19937 random(5);
    for (int round = 0; round < 20'000; ++round) {
        std::array<std::uint8_t, 16> bytes{};
        const auto groups = random(); // which are not zero, which are short
        for (unsigned i = 0; i < 8; ++i) {
            if ((groups >> i & 1) != 0) bytes[2 * i] = static_cast<std::uint8_t>(random());
            if ((groups >> (8 + i) & 1) != 0) bytes[2 * i + 1] = static_cast<std::uint8_t>(random());
        }
        if (round % 16 == 0) std::fill(bytes.begin(), bytes.begin() + 10, std::uint8_t{0});
        if (round % 32 == 0) bytes[10] = bytes[11] = 0xff; // IPv4 inside
        char expected[INET6_ADDRSTRLEN];
        REQUIRE(inet_ntop(AF_INET6, bytes.data(), expected, sizeof expected));
        REQUIRE(IpAddress::v6(bytes).to_string() == expected);
        REQUIRE(inet_ntop(AF_INET, bytes.data(), expected, sizeof expected));
        REQUIRE(IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}).to_string() == expected);
    }
    for (const char* text : {"::", "::1", "1::", "::ffff:0:0", "1:0:0:2::", "1::2:0:0:3:4", "::1:0:0:1"})
        CHECK(IpAddress::parse(IpAddress::parse(text)->to_string()) == IpAddress::parse(text));
}

TEST_CASE("address classes") {
    CHECK(IpAddress::parse("127.1.2.3")->is_loopback());
    CHECK(IpAddress::parse("::1")->is_loopback());
    CHECK_FALSE(IpAddress::parse("::2")->is_loopback());
    CHECK(IpAddress::parse("fe80::1")->is_link_local());
    CHECK(IpAddress::parse("febf::1")->is_link_local());
    CHECK_FALSE(IpAddress::parse("fec0::1")->is_link_local());
    CHECK(IpAddress::parse("169.254.1.1")->is_link_local());
    CHECK(IpAddress::parse("224.0.0.1")->is_multicast());
    CHECK(IpAddress::parse("ff02::1")->is_multicast());
    CHECK(IpAddress::parse("::")->is_unspecified());
}

TEST_CASE("a prefix keeps its host bits until asked") {
    const auto prefix = IpPrefix::parse("10.1.2.3/20");
    REQUIRE(prefix);
    CHECK(prefix->to_string() == "10.1.2.3/20");
    CHECK(prefix->has_host_bits());
    CHECK(prefix->network().to_string() == "10.1.0.0/20");
    CHECK(IpPrefix::parse("2001:db8:ffff::1/33")->network().to_string() == "2001:db8:8000::/33");
    CHECK(IpPrefix::parse("1.2.3.4")->is_host());
    CHECK(IpPrefix::parse("1.2.3.4/08")->length() == 8);
    CHECK(IpPrefix::parse("0.0.0.0/0")->is_default());
    for (const auto* bad :
         {"1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8", "/8", "10/8", "1.2.3.4/255.0.0.0"})
        CHECK_FALSE(IpPrefix::parse(bad));
}

TEST_CASE("containment, at every length, agrees with bit comparison") {
    const auto base = *IpAddress::parse("2001:db8:a5a5:5a5a:ffff:0:1234:8001");
    for (unsigned length = 0; length <= 128; ++length) {
        const auto prefix = IpPrefix::make(base, length)->network();
        CHECK(prefix.contains(base));
        std::array<std::uint8_t, 16> bytes{};
        std::copy(base.bytes().begin(), base.bytes().end(), bytes.begin());
        for (unsigned bit = 0; bit < 128; ++bit) {
            auto flipped = bytes;
            flipped[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> (bit % 8));
            CHECK(prefix.contains(IpAddress::v6(flipped)) == (bit >= length));
        }
    }
    CHECK_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(base));
    CHECK(IpPrefix::parse("10.0.0.0/8")->contains(*IpPrefix::parse("10.2.0.0/16")));
    CHECK_FALSE(IpPrefix::parse("10.2.0.0/16")->contains(*IpPrefix::parse("10.0.0.0/8")));
}

TEST_CASE("an endpoint goes through text and sockaddr unchanged") {
    for (const auto* text : {"1.2.3.4:51820", "[2001:db8::1]:1", "[fe80::1%3]:65535", "0.0.0.0:0"}) {
        const auto endpoint = Endpoint::parse(text);
        REQUIRE(endpoint);
        CHECK(endpoint->to_string() == text);
        sockaddr_storage storage{};
        const auto length = endpoint->to_sockaddr(storage);
        CHECK(Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length) == endpoint);
    }
    for (const auto* bad : {"1.2.3.4", "1.2.3.4:65536", "2001:db8::1:1", "[1.2.3.4]:1", "[::1]",
                            "[::1]:", "[fe80::1%eth0]:1", ":1"})
        CHECK_FALSE(Endpoint::parse(bad));
}
