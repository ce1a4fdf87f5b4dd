// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include "datapath/io/offloads.hpp"

using wgd::io::Offloads;

TEST_CASE("offloads are switched off by name") {
    CHECK(Offloads::all_but("")->to_string() == "tso4 tso6 uso gso gro");
    CHECK(Offloads::all_but("uso")->to_string() == "tso4 tso6 gso gro");
    CHECK(Offloads::all_but("gro,tso")->to_string() == "uso gso");
    CHECK(Offloads::all_but("tso4")->to_string() == "tso6 uso gso gro");
    CHECK(Offloads::all_but("tso6")->to_string() == "tso4 uso gso gro");
    CHECK(Offloads::all_but("all")->to_string() == "none");
    const auto unknown = Offloads::all_but("tso,lro");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().message.find("'lro'") != std::string::npos);
    CHECK_FALSE(Offloads::all_but(" tso"));
}
