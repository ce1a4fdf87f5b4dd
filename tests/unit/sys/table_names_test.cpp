// SPDX-License-Identifier: MIT
#include "daemon/sys/table_names.hpp"

#include <catch2/catch.hpp>

using namespace wgd::sys;

TEST_CASE("rt_tables is read as ip-route(8) reads it") {
    TableNames names;
    parse_table_names("# comment\n255\tlocal\n 200 vpn # mine\n0x1F hex\n\nnonsense\n12\n99999999999 big\n7 "
                      "seven eight\n-1 minus\n1x odd\n",
                      names);
    CHECK(names == TableNames{{"local", 255}, {"vpn", 200}, {"hex", 31}, {"seven", 7}});
    parse_table_names("201 vpn", names); // a later file wins
    CHECK(names.at("vpn") == 201);
}

TEST_CASE("the kernel's own tables always have their names") {
    const TableNames names = read_table_names();
    CHECK(names.at("main") == 254);
    CHECK(names.at("local") == 255);
    CHECK(names.at("default") == 253);
}
