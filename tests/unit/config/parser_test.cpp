// SPDX-License-Identifier: MIT
// The grammar of wg(8) and wg-quick(8), rule by rule. Whole files are in tests/golden.
#include "common/config/parser.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace wgd;

namespace {

const std::string kPrivate = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const std::string kPublic = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="; // of kPrivate
const std::string kOther = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const std::string kPeer = "[Peer]\nPublicKey = " + kOther + "\n";

ParseOutcome run(const std::string& text, Dialect dialect = Dialect::kWgQuick) {
    return parse(text, *ProfileName::parse("home"), dialect);
}

Profile good(const std::string& text, Dialect dialect = Dialect::kWgQuick) {
    auto outcome = run(text, dialect);
    INFO(format(outcome.diagnostics, "t"));
    REQUIRE(outcome.profile);
    return std::move(*outcome.profile);
}

Profile interface(const std::string& lines) {
    return good("[Interface]\n" + lines);
}

// All diagnostics of a text as lines.
std::string findings(const std::string& text, Dialect dialect = Dialect::kWgQuick) {
    return format(run(text, dialect).diagnostics, "t");
}

bool refused(const std::string& text, Dialect dialect = Dialect::kWgQuick) {
    const auto outcome = run(text, dialect);
    CHECK(outcome.profile.has_value() != has_errors(outcome.diagnostics)); // profile iff no error
    return !outcome.profile;
}

} // namespace

TEST_CASE("every key once") {
    const auto p =
        good("[Interface]\nPrivateKey=" + kPrivate +
             "\nListenPort=51820\nFwMark=0xca6c\nAddress=10.0.0.2/24,fd00::2/64\nDNS=1.1.1.1,corp.lan\n"
             "MTU=1380\nTable=off\nPreUp=a\nPostUp=b\nPreDown=c\nPostDown=d\nSaveConfig=true\n[Peer]\n"
             "PublicKey=" +
             kOther + "\nPresharedKey=" + kPrivate +
             "\nAllowedIPs=0.0.0.0/0,::/0\nEndpoint=vpn.example.org:51820\nPersistentKeepalive=25\n");
    CHECK(p.name.str() == "home");
    CHECK(p.private_key->reveal_base64() == kPrivate);
    CHECK(p.listen_port == 51820);
    CHECK(p.fwmark == 0xca6c);
    REQUIRE(p.addresses.size() == 2);
    CHECK(p.addresses[0].to_string() == "10.0.0.2/24");
    CHECK(p.dns_servers.at(0).to_string() == "1.1.1.1");
    CHECK(p.dns_search == std::vector<std::string>{"corp.lan"});
    CHECK(p.mtu == 1380U);
    CHECK(p.table == TableSpec(TableOff{}));
    CHECK(p.pre_up == std::vector<Hook>{{"a", 0}});
    CHECK(p.pre_up[0].line == 9);
    CHECK(p.post_up == std::vector<Hook>{{"b", 0}});
    CHECK(p.pre_down == std::vector<Hook>{{"c", 0}});
    CHECK(p.post_down == std::vector<Hook>{{"d", 0}});
    CHECK(p.save_config);
    REQUIRE(p.peers.size() == 1);
    CHECK(p.peers[0].public_key.to_base64() == kOther);
    CHECK(p.peers[0].preshared_key->reveal_base64() == kPrivate);
    CHECK(p.peers[0].allowed_ips.size() == 2);
    CHECK(p.peers[0].replace_allowed_ips);
    CHECK(p.peers[0].endpoint->host == "vpn.example.org");
    CHECK(p.peers[0].persistent_keepalive == 25);
    CHECK(p.peers[0].position == SourcePosition{14, 1});

    const auto copy = p.clone();
    CHECK(copy.private_key->reveal_base64() == kPrivate);
    CHECK(copy.peers[0].preshared_key->reveal_base64() == kPrivate);
    CHECK(copy.mtu == p.mtu);
}

TEST_CASE("absent keys are absent") {
    const auto p = interface("");
    CHECK_FALSE(p.private_key); // a hook may set it (wg-quick(8))
    CHECK_FALSE(p.listen_port);
    CHECK_FALSE(p.fwmark);
    CHECK_FALSE(p.mtu);
    CHECK(p.table == TableSpec(TableAuto{}));
    CHECK_FALSE(p.save_config);
    CHECK_FALSE(p.has_hooks());
}

TEST_CASE("case, white space, comments, CRLF, no last newline") {
    const auto p =
        good("\t[INTERFACE] # x\r\n  private KEY\t= " + kPrivate.substr(0, 10) + " " + kPrivate.substr(10) +
             " # mine\r\n#ListenPort = 1\r\nlistenport=2\r\n[ peer ]\r\npublickey=" + kOther +
             "\r\nallowedips = 10.0.0.0 / 8 , fd00:: / 8\r\nendpoint=192.0.2.1:1");
    CHECK(p.private_key->reveal_base64() == kPrivate);
    CHECK(p.listen_port == 2);
    CHECK(p.peers.at(0).allowed_ips.size() == 2);
    CHECK(p.peers.at(0).endpoint->port == 1);
}

TEST_CASE("[Peer] before [Interface], and [Interface] again") {
    const auto p = good(kPeer + "AllowedIPs=10.0.0.1\n[Interface]\nListenPort=1\n[Interface]\nMTU=1400\n");
    CHECK(p.listen_port == 1);
    CHECK(p.mtu == 1400U);
    CHECK(p.peers.size() == 1);
}

TEST_CASE("lists accumulate, scalars take the last with a warning") {
    const auto p =
        interface("Address=10.0.0.1/24\nAddress=10.0.0.2/24 10.0.0.3/24,,\nDNS=1.1.1.1\nDNS=9.9.9.9,a.b\n"
                  "PostUp=one\nPostUp=two\n");
    CHECK(p.addresses.size() == 3);
    CHECK(p.dns_servers.size() == 2);
    CHECK(p.post_up.size() == 2);
    CHECK(findings("[Interface]\nMTU=1400\nMTU=1300\n") ==
          "t:3:1: warning: MTU again, as in line 2; the last one counts\n");
    CHECK(interface("MTU=1400\nMTU=1300\n").mtu == 1300U);
    CHECK(findings("[Interface]\n" + kPeer + "PublicKey=" + kPublic + "\nAllowedIPs=::/0\n")
              .find("is a [Peer] line missing?") != std::string::npos);
}

TEST_CASE("AllowedIPs of several lines add up, host bits are cleared with a warning") {
    const std::string text = "[Interface]\n" + kPeer + "AllowedIPs = 10.0.0.1/24\nAllowedIPs = fd00::/64\n";
    const auto p = good(text);
    REQUIRE(p.peers[0].allowed_ips.size() == 2);
    CHECK(p.peers[0].allowed_ips[0].prefix.to_string() == "10.0.0.0/24");
    CHECK(findings(text) ==
          "t:4:14: warning: '10.0.0.1/24' has a host part; WireGuard clears it (did you mean "
          "'10.0.0.0/24'?)\n");
}

TEST_CASE("hooks keep everything behind the first '='") {
    const auto p =
        interface("PostUp =  iptables -A X -m comment --comment \"a # b = c\" %i  \nPreUp = # nothing\n");
    CHECK(p.post_up.at(0).text == "iptables -A X -m comment --comment \"a # b = c\" %i");
    CHECK(p.pre_up.at(0).text == "# nothing");
}

TEST_CASE("empty values: wg-quick's keys may have one, wg's may not") {
    const auto p = interface("Address =\nDNS = # none\nMTU=\nTable=\nPreUp=\nPostUp =\n");
    CHECK(p.addresses.empty());
    CHECK_FALSE(p.has_hooks());
    CHECK(refused("[Interface]\nPrivateKey =\n"));
    CHECK(refused("[Interface]\nListenPort = # none\n"));
    CHECK(refused("[Interface]\nSaveConfig =\n"));
    CHECK(findings("[Interface]\n" + kPeer + "AllowedIPs =\n")
              .find("t:4:13: error: AllowedIPs has no value; give one or leave the line out\n") !=
          std::string::npos);
}

TEST_CASE("numbers that wg cuts off silently are errors (D10)") {
    CHECK(findings("[Interface]\nListenPort = 70000\n") ==
          "t:2:14: error: port '70000' is larger than 65535\n");
    CHECK(findings("[Interface]\n" + kPeer + "AllowedIPs=::/0\nEndpoint = 192.0.2.1:65536\n") ==
          "t:5:22: error: port '65536' is larger than 65535\n");
}

TEST_CASE("Table in any case (D11), domains without servers (D6)") {
    CHECK(interface("Table = OFF\n").table == TableSpec(TableOff{}));
    CHECK(findings("[Interface]\nTable = OFF\n") ==
          "t:2:9: warning: wg-quick knows this word in small letters only "
          "(did you mean 'off'?)\n");
    CHECK(interface("DNS = corp.lan\n").dns_search.size() == 1);
}

TEST_CASE("unknown keys, with what was meant (D13)") {
    CHECK(findings("[Interface]\nFoo = bar\n") == "t:2:1: error: unknown key 'Foo'\n");
    CHECK(findings("[Interface]\n  Adress = 10.0.0.1/24\n") ==
          "t:2:3: error: unknown key 'Adress' (did you mean 'Address'?)\n");
    CHECK(findings("[Interface]\nPost Up = x\n") ==
          "t:2:1: error: unknown key 'Post Up' (did you mean 'PostUp'?)\n");
}

TEST_CASE("keys in the wrong place") {
    CHECK(findings("[Interface]\nEndpoint = 192.0.2.1:1\n") ==
          "t:2:1: error: Endpoint belongs in [Peer], not in [Interface]\n");
    CHECK(findings("[Interface]\n" + kPeer + "AllowedIPs=::/0\nDNS = 1.1.1.1\n") ==
          "t:5:1: error: DNS belongs in [Interface], not in [Peer]\n");
    CHECK(findings("ListenPort = 1\n[Interface]\n") ==
          "t:1:1: error: ListenPort stands in front of every section; it belongs in [Interface]\n");
}

TEST_CASE("sections") {
    CHECK(findings("[Interfac]\nPrivateKey=zzz\n[Interface]\n") ==
          "t:1:1: error: unknown section '[Interfac]'; there are [Interface] and [Peer] (did you mean "
          "'[Interface]'?)\n");
    CHECK(findings("") == "t:1:1: error: there is no [Interface] section\n");
    CHECK(findings(kPeer + "AllowedIPs=::/0\n") == "t:3:16: error: there is no [Interface] section\n");
    CHECK(findings("[Interface]\n[Peer]\nAllowedIPs=::/0\n") == "t:2:1: error: this peer has no PublicKey\n");
    CHECK(findings("[ Interface ]\n").find("warning: wg-quick does not know") != std::string::npos);
}

TEST_CASE("lines that are nothing") {
    CHECK(findings("[Interface]\nhello\n; old style\n") ==
          "t:2:1: error: neither a section, nor key = value, nor a comment\n"
          "t:3:1: error: a comment begins with '#', not with ';'\n");
}

TEST_CASE("marks of other systems") {
    CHECK(findings("\xef\xbb\xbf[Interface]\n") ==
          "t:1:1: error: the file begins with a byte-order mark; save it as UTF-8 without one\n");
    CHECK(findings(std::string("\xff\xfe[\0I\0", 6)) ==
          "t:1:1: error: the file is in UTF-16; save it as UTF-8 or ASCII\n");
    CHECK(findings(std::string("[Interface]\nMTU=14\0", 19) + "00\n") ==
          "t:2:7: error: a zero byte; a profile is a text\n");
}

TEST_CASE("a peer listed twice") {
    const auto text = "[Interface]\n" + kPeer + "AllowedIPs=10.0.0.1\n" + kPeer + "AllowedIPs=10.0.0.2\n";
    CHECK(findings(text) == "t:6:13: error: the same peer as in line 3; a key can be listed once\n");
    CHECK_FALSE(refused(kPeer + kPeer, Dialect::kWg)); // wg(8) takes the second as a change of the first
}

TEST_CASE("an allowed IP given twice goes to the last peer, and says so") {
    const auto text = "[Interface]\n" + kPeer + "AllowedIPs=10.0.0.1\n[Peer]\nPublicKey=" + kPublic +
                      "\nAllowedIPs=10.0.0.2, 10.0.0.1/32\n";
    CHECK(findings(text) ==
          "t:7:22: warning: 10.0.0.1/32 is also given to the peer in line 2; this one gets it\n");
}

TEST_CASE("the interface's own key as a peer") {
    CHECK(findings("[Interface]\nPrivateKey=" + kPrivate + "\n[Peer]\nPublicKey=" + kPublic +
                   "\nAllowedIPs=::/0\n") ==
          "t:4:11: warning: this is the interface's own public key: WireGuard ignores such a peer\n");
}

TEST_CASE("no diagnostic shows a key, wherever it was put") {
    auto slip = kPrivate;
    slip[20] = '!';
    const auto key = GENERATE_COPY(values<std::string>(
        {kPrivate, kPrivate + "x", slip, kPrivate.substr(0, 43), kPrivate.substr(1), " " + kPrivate}));
    const auto shows_a_piece = [&](const std::string& found) {
        for (std::size_t i = 0; i + 8 <= kPrivate.size(); ++i)
            if (found.find(kPrivate.substr(i, 8)) != std::string::npos) return true;
        return false;
    };
    for (const std::string name :
         {"PrivateKey", "ListenPort", "FwMark", "Address", "DNS", "MTU", "Table", "SaveConfig", "Bogus"}) {
        const auto found = findings("[Interface]\n" + name + " = " + key + "\n" + key + "\n" + key +
                                    " = 1\n[" + key + "]\n");
        CAPTURE(name, found);
        CHECK_FALSE(shows_a_piece(found));
    }
    for (const std::string name :
         {"PublicKey", "PresharedKey", "AllowedIPs", "Endpoint", "PersistentKeepalive"}) {
        const auto found =
            findings("[Interface]\n[Peer]\n" + name + " = " + key + "\n" + name + " = x:" + key + ":1");
        CAPTURE(name, found);
        CHECK_FALSE(shows_a_piece(found));
    }
}

TEST_CASE("endpoints: notes") {
    const auto note = [](const std::string& endpoint) {
        return findings("[Interface]\n" + kPeer + "AllowedIPs=::/0\nEndpoint = " + endpoint + "\n");
    };
    CHECK(note("vpn.example.org:51820").empty());
    CHECK(note("2001:db8::1:51820") ==
          "t:5:12: warning: an IPv6 address is better written in brackets (did you mean "
          "'[2001:db8::1]:51820'?)\n");
    CHECK(note("127.1:1") == "t:5:12: warning: '127.1' is read as 127.0.0.1\n");
    CHECK(note("192.0.2.1:0") == "t:5:12: warning: nothing can be sent to port 0\n");
}

TEST_CASE("columns are those of the offending item") {
    CHECK(findings("[Interface]\nAddress = 10.0.0.1/24, 10.0.0.2/33\n") ==
          "t:2:33: error: prefix length '33' is larger than 32\n");
    CHECK(findings("[Interface]\n" + kPeer + "AllowedIPs = 10.0.0.0/8, fd 00::/ 200,\n") ==
          "t:4:35: error: prefix length '200' is larger than 128\n"
          "t:4:39: error: an address is missing\n");
    CHECK(findings("[Interface]\n" + kPeer + "AllowedIPs = 10.0.0.0/8 11.0.0.0/8\n") ==
          "t:4:25: error: a comma is missing in front of this item\n");
}

TEST_CASE("wg's own dialect") {
    CHECK_FALSE(refused("", Dialect::kWg));
    CHECK_FALSE(refused(kPeer, Dialect::kWg));
    CHECK(findings("[Interface]\nAddress = 10.0.0.1\n", Dialect::kWg) ==
          "t:2:1: error: Address is a key of wg-quick, not of wg\n");
}

TEST_CASE("all findings of a file at once, in its order") {
    CHECK(findings("[Interface]\nMTU = 9\nListenPort = x\n[Peer]\nEndpoint = y\n[Pear]\n") ==
          "t:2:7: error: MTU '9' is outside 576-65455\n"
          "t:3:14: error: 'x' is not a port: write a number from 0 to 65535\n"
          "t:4:1: error: this peer has no PublicKey\n"
          "t:5:13: error: the endpoint has no port: write host:port\n"
          "t:6:1: error: unknown section '[Pear]'; there are [Interface] and [Peer] (did you mean "
          "'[Peer]'?)\n");
}
