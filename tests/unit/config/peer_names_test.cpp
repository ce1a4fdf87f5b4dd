// SPDX-License-Identifier: MIT
#include "common/config/peer_names.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "common/config/parser.hpp"

using namespace wgd;

namespace {

const std::vector<std::string> kKeys{
    "PublicKey = HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\nAllowedIPs = 10.0.0.1/32\n",
    "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nAllowedIPs = 10.0.0.2/32\n",
    "PublicKey = TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\nAllowedIPs = 10.0.0.3/32\n",
};

// "KEY0" and so on stand for whole peers' bodies.
std::vector<std::string> names(std::string text) {
    for (std::size_t i = 0; i < kKeys.size(); ++i)
        if (const auto at = text.find("KEY" + std::to_string(i)); at != std::string::npos)
            text.replace(at, 5, kKeys[i]); // and its newline
    const auto outcome = parse("[Interface]\n" + text, *ProfileName::parse("t"));
    REQUIRE(outcome.profile);
    std::vector<std::string> out;
    for (const auto& peer : outcome.profile->peers)
        out.push_back(peer.name);
    return out;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("tags inside the peer") {
    CHECK(names("[Peer]\n# friendly_name = Alice\nKEY0\n[Peer]\nKEY1\n# Name=Bob\n") ==
          Names{"Alice", "Bob"});
    CHECK(names("[Peer]\nKEY0\n# friendly_name=Alice Smith\n[Peer]\nKEY1\n") == Names{"Alice Smith", ""});
}

TEST_CASE("tags in front of the peer") {
    CHECK(names("# Name = a\n[Peer]\nKEY0\n\n# Name = b\n[Peer]\nKEY1\n") == Names{"a", "b"});
}

TEST_CASE("headings that installers write") {
    CHECK(names("\n### Client alice\n[Peer]\nKEY0\n\n### Client bob\n[Peer]\nKEY1\n") ==
          Names{"alice", "bob"});
    CHECK(names("# Client: Alice (1b6f-22)\n[Peer]\nKEY0\n\n# Client: Bob (7)\n[Peer]\nKEY1\n") ==
          Names{"Alice", "Bob"});
    CHECK(
        names(
            "### begin a ###\n[Peer]\nKEY0\n### end a ###\n### begin b ###\n[Peer]\nKEY1\n### end b ###\n") ==
        Names{"a", "b"});
}

TEST_CASE("plain short comments next to the peer") {
    CHECK(names("[Peer] # phone\nKEY0\n[Peer]\n# CH-NL#1\nKEY1\n# laptop\n[Peer]\nKEY2\n") ==
          Names{"phone", "CH-NL#1", "laptop"});
    CHECK(names("# far away\n\n[Peer]\nKEY0\n") == Names{""});
    CHECK(names("# one\n# two\n[Peer]\nKEY0\n") == Names{"two"});
    CHECK(names("[Peer]\nKEY0\n# a remark about this peer\n") == Names{""});
}

TEST_CASE("a better source wins") {
    CHECK(names("# remark\n[Peer]\n# friendly_name = Alice\nKEY0\n") == Names{"Alice"});
    CHECK(names("### Client alice\n[Peer] # phone\nKEY0\n") == Names{"alice"});
}

TEST_CASE("what is no name") {
    CHECK(names("[Peer]\n# Endpoint = 192.0.2.1:1\nKEY0\n") == Names{""}); // a key that was switched off
    CHECK(names("#[Peer]\n[Peer]\nKEY0\n") == Names{""});
    CHECK(names("[Peer]\n# " + std::string(65, 'x') + "\nKEY0\n") == Names{""});
    CHECK(names("[Peer]\n# a\x1b[31mb\nKEY0\n") == Names{""});
    CHECK(names("[Peer]\n# friendly_name = \xff\xfe\nKEY0\n") == Names{""});
    CHECK(names("[Peer]\n# friendly_name = \xc3\nKEY0\n") == Names{""});
    CHECK(names("[Peer]\n# friendly_name = \xed\xa0\x80\nKEY0\n") == Names{""}); // a surrogate
    CHECK(names("[Peer]\n# friendly_name = B\xc3\xa4r \xf0\x9f\x90\xbb\nKEY0\n") ==
          Names{"B\xc3\xa4r \xf0\x9f\x90\xbb"});
}
