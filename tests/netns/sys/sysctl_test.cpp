// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "daemon/sys/sysctl.hpp"
#include "tests/netns/sys/namespace.hpp"

using namespace wgd;
using namespace wgd::sys;
using wgd::test::run;

TEST_CASE("sysctls of this network namespace are read and written") {
    test::FreshNamespaces fresh;
    const std::string key = "net/ipv4/conf/all/src_valid_mark";
    CHECK(read_sysctl(key).value() == "0");
    REQUIRE(write_sysctl(key, "1"));
    CHECK(read_sysctl(key).value() == "1");
    CHECK(run("cat /proc/sys/" + key) == "1\n");
    CHECK(write_sysctl(key, "1"));
    test::FreshNamespaces other;
    CHECK(read_sysctl(key).value() == "0");
}

TEST_CASE("a key that is none, or leads elsewhere, is refused") {
    for (const char* key :
         {"", "/proc/version", "../version", "net/../../version", "net/ipv4/../../../version"})
        CHECK(read_sysctl(key).error().code == ErrorCode::kInvalidArgument);
    CHECK(read_sysctl("net/ipv4/no_such_key").error().code == ErrorCode::kNotFound);
    CHECK(read_sysctl("net/ipv4").error().code != ErrorCode::kInternal);
    CHECK_FALSE(read_sysctl("net/ipv4"));
}

TEST_CASE("a value that the kernel refuses is its error") {
    test::FreshNamespaces fresh;
    auto written = write_sysctl("net/ipv4/conf/all/src_valid_mark", "many");
    REQUIRE_FALSE(written);
    CHECK(written.error().code == ErrorCode::kKernel);
    CHECK(written.error().message.find("src_valid_mark") != std::string::npos);
}

TEST_CASE("IPv6 that is disabled is seen") {
    test::FreshNamespaces fresh;
    CHECK(ipv6_available());
    REQUIRE(write_sysctl("net/ipv6/conf/all/disable_ipv6", "1"));
    CHECK_FALSE(ipv6_available());
}
