// SPDX-License-Identifier: MIT
// Ops as commands and as JSON. No key in either.
#include "daemon/plan/op_json.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;

namespace {

Rule some_rule() {
    Rule rule;
    rule.family = Family::kIpv6;
    rule.priority = 32764;
    rule.fwmark = 51820;
    rule.invert = true;
    rule.table = 51820;
    rule.protocol = 0xc7;
    return rule;
}

std::vector<Op> one_of_each() {
    auto delta = std::make_shared<DeviceDelta>();
    delta->listen_port = 51820;
    delta->fwmark = 0;
    PeerDelta& peer = delta->peers.emplace_back();
    peer.public_key = *PublicKey::from_base64(fakes::kPeerA);
    peer.endpoint = Endpoint::parse("[2001:db8::1]:51820");
    peer.persistent_keepalive = 0;
    peer.replace_allowed_ips = true;
    peer.allowed_ips = {{*IpPrefix::parse("10.0.0.0/8"), false}, {*IpPrefix::parse("fd00::/8"), true}};
    PeerDelta& gone = delta->peers.emplace_back();
    gone.public_key = *PublicKey::from_base64(fakes::kPeerB);
    gone.remove = true;
    Rule suppress;
    suppress.table = kMainTable;
    suppress.suppress_prefixlength = 0;
    return {CreateLink{"wg0", Backend::kUserspace, "wgd:wg0"},
            DeleteLink{"wg0", Backend::kKernel},
            ConfigureDevice{"wg0", delta},
            AddAddress{"wg0", *IpPrefix::parse("10.0.0.2/24")},
            RemoveAddress{"wg0", *IpPrefix::parse("fd00::2/64")},
            SetMtu{"wg0", 1420},
            SetLinkUp{"wg0", true},
            SetLinkUp{"wg0", false},
            AddRule{some_rule()},
            RemoveRule{suppress},
            AddRoute{{*IpPrefix::parse("::/0"), "wg0", 51820, 199, 0}},
            RemoveRoute{{*IpPrefix::parse("10.0.0.0/8"), "wg0", kMainTable, 199, 5}},
            SetSysctl{"net/ipv4/conf/eth0.1/rp_filter", "2"},
            SetDns{"wg0",
                   DnsBackend::kResolved,
                   {{*IpAddress::parse("fd00::1")}, {"lab.lan"}, {"corp.example"}, false},
                   false},
            SetDns{"wg0", DnsBackend::kResolvconf, {{*IpAddress::parse("10.0.0.1")}, {}, {}, true}, true},
            ClearDns{"wg0", DnsBackend::kNetworkManager},
            ClearDns{"wg0", DnsBackend::kFile}};
}

} // namespace

TEST_CASE("ops as commands") {
    std::vector<std::string> lines;
    for (const Op& op : one_of_each())
        lines.push_back(describe(op));
    CHECK(lines == std::vector<std::string>{
                       "wgd-datapath wg0",
                       "ip link delete dev wg0",
                       "wg set wg0 listen-port 51820 fwmark off peer " + fakes::kPeerA +
                           " endpoint [2001:db8::1]:51820 persistent-keepalive off allowed-ips "
                           "10.0.0.0/8,-fd00::/8 peer " +
                           fakes::kPeerB + " remove",
                       "ip -4 address add 10.0.0.2/24 dev wg0",
                       "ip -6 address delete fd00::2/64 dev wg0",
                       "ip link set dev wg0 mtu 1420",
                       "ip link set dev wg0 up",
                       "ip link set dev wg0 down",
                       "ip -6 rule add not fwmark 0xca6c table 51820 priority 32764 protocol 199",
                       "ip -4 rule delete table main suppress_prefixlength 0",
                       "ip -6 route add default dev wg0 table 51820 proto 199",
                       "ip -4 route delete 10.0.0.0/8 dev wg0 metric 5 proto 199",
                       "sysctl -w net.ipv4.conf.eth0/1.rp_filter=2",
                       "resolvectl dns wg0 fd00::1; resolvectl domain wg0 lab.lan ~corp.example; resolvectl "
                       "default-route wg0 no",
                       "resolvconf -a wg0 -m 0 -x  # 10.0.0.1",
                       "nmcli device reapply wg0",
                       "write /etc/resolv.conf without wg0",
                   });
}

TEST_CASE("a command for thousands of peers stays a line that can be read") {
    auto delta = std::make_shared<DeviceDelta>();
    delta->peers.resize(10'000);
    const std::string line = describe(ConfigureDevice{"wg0", delta});
    CHECK(line.size() < 4096);
    CHECK(line.find("(and 9968 more peers)") != std::string::npos);
}

TEST_CASE("ops are read back from JSON as they were") {
    const std::vector<Op> ops = one_of_each();
    const std::string json = ops_to_json(ops);
    CHECK(json.find('\n') == std::string::npos);
    const auto read = ops_from_json(json);
    if (!read) FAIL(read.error().message);
    REQUIRE(read->size() == ops.size());
    CHECK(ops_to_json(*read) == json);
    for (std::size_t i = 0; i < ops.size(); ++i) {
        CHECK((*read)[i].index() == ops[i].index());
        CHECK(describe((*read)[i]) == describe(ops[i]));
    }
}

TEST_CASE("a key does not reach JSON or a command, and a peer does not come back without its own") {
    auto delta = std::make_shared<DeviceDelta>();
    delta->private_key = PrivateKey::from_base64(fakes::kPrivateKey);
    delta->replace_peers = true;
    PeerDelta& peer = delta->peers.emplace_back();
    peer.public_key = *PublicKey::from_base64(fakes::kPeerA);
    peer.preshared_key = PresharedKey::from_base64(fakes::kPresharedKey);
    const Op op = ConfigureDevice{"wg0", delta};
    for (const std::string& text : {ops_to_json({op}), describe(op)}) {
        CHECK(text.find(fakes::kPrivateKey) == std::string::npos);
        CHECK(text.find(fakes::kPresharedKey) == std::string::npos);
        CHECK(text.find(PrivateKey::from_base64(fakes::kPrivateKey)->reveal_hex()) == std::string::npos);
    }
    CHECK(describe(op).find("private-key (hidden)") != std::string::npos);
    const auto read = ops_from_json(ops_to_json({op}));
    REQUIRE(read);
    const DeviceDelta& back = *std::get<ConfigureDevice>(read->front()).delta;
    CHECK_FALSE(back.private_key);
    CHECK_FALSE(back.replace_peers);
    CHECK(back.peers.at(0).update_only);
    CHECK_FALSE(back.peers.at(0).preshared_key);
}

TEST_CASE("JSON that is not a list of ops is refused") {
    for (const char* text : {"", "{}", "[", "[1]", "[{}]", R"([{"op":"format_disk"}])",
                             R"([{"op":"set_mtu","link":"a"}])", R"([{"op":"set_mtu","link":"a","mtu":"x"}])",
                             R"([{"op":"add_address","link":"a","address":"10/8"}])",
                             R"([{"op":"add_rule","rule":{"family":5,"table":1,"protocol":1}}])", "\xff"}) {
        INFO(text);
        const auto read = ops_from_json(text);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == ErrorCode::kParse);
    }
}
