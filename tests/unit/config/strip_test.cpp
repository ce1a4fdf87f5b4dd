// SPDX-License-Identifier: MIT
#include "common/config/strip.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace wgd;

namespace {
std::string stripped(std::string_view text) {
    return std::string(strip(text));
}
} // namespace

TEST_CASE("wg-quick's keys go, everything else stays but for blanks at the ends of lines") {
    CHECK(
        stripped(
            "# head\n[interface] # me\nPrivateKey = x # c\naddress=10.0.0.1\nDNS = 1.1.1.1\nPostUp = a = b\n"
            "\n[Peer]\n  PublicKey  =  y\nAddress = kept, it is not in [Interface]\n") ==
        "# head\n[interface] # me\nPrivateKey = x # c\n\n[Peer]\nPublicKey  =  y\n"
        "Address = kept, it is not in [Interface]\n\n");
}

TEST_CASE("no newline at the end, nothing at all, several [Interface] sections") {
    CHECK(stripped("[Interface]\nMTU=1280\nListenPort=1") == "[Interface]\nListenPort=1\n\n");
    CHECK(stripped("") == "\n");
    CHECK(stripped("[Interface]\nMTU=1\n[Peer]\nMTU=2\n[Interface]\nTable=off\n") ==
          "[Interface]\n[Peer]\nMTU=2\n[Interface]\n\n");
}

TEST_CASE("a header with spaces in it is no [Interface] to wg-quick") {
    CHECK(stripped("[ Interface ]\nMTU = 1280\n") == "[ Interface ]\nMTU = 1280\n\n");
}
