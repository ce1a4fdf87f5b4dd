// SPDX-License-Identifier: MIT
#include "dbus/names.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace wgd;

TEST_CASE("every error code has a bus name of its own, and back") {
    std::set<std::string> names;
    for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        const std::string name = dbus::error_name(code);
        INFO(name);
        CHECK(name.rfind("org.wgd1.Error.", 0) == 0);
        CHECK(names.insert(name).second);
        CHECK(dbus::error_code(name) == code);
    }
    CHECK(dbus::error_code("org.freedesktop.DBus.Error.AccessDenied") == ErrorCode::kNotAuthorized);
    CHECK_FALSE(dbus::error_code("org.example.Error"));
    CHECK_FALSE(dbus::error_code(""));
}

TEST_CASE("tunnel names become object paths and come back") {
    // Expected forms from sd_bus_path_encode(3).
    const auto [name, path] = GENERATE(table<std::string, std::string>({
        {"home", "/org/wgd1/tunnel/home"},
        {"wg-0", "/org/wgd1/tunnel/wg_2d0"},
        {"a.b", "/org/wgd1/tunnel/a_2eb"},
        {"a_b", "/org/wgd1/tunnel/a_5fb"},
        {"0wg", "/org/wgd1/tunnel/_30wg"},
        {"a+b=c", "/org/wgd1/tunnel/a_2bb_3dc"},
    }));
    const auto parsed = ProfileName::parse(name);
    REQUIRE(parsed);
    CHECK(dbus::tunnel_path(*parsed) == path);
    CHECK(dbus::tunnel_of_path(path) == *parsed);
    CHECK(dbus::peer_path(*parsed, 12) == path + "/peer/12");
}

TEST_CASE("a path that names no tunnel gives none") {
    const auto path =
        GENERATE(as<std::string>{}, "", "/", "/org/wgd1", "/org/wgd1/tunnel", "/org/wgd1/tunnel/",
                 "/org/wgd1/tunnel/home/peer/0", "/org/wgd1/tunnel/_", "/org/wgd1/tunnel/_2e_2e",
                 "/org/wgd1/tunnel/a_2Db", "/org/wgd1/tunnel/home_20x", "/org/other/tunnel/home",
                 "/org/wgd1/tunnel/abcdefghijklmnop");
    INFO(path);
    CHECK_FALSE(dbus::tunnel_of_path(path));
}
