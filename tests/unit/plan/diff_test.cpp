// SPDX-License-Identifier: MIT
// Steps: what they are, in which order, how few; and their undo.
#include <algorithm>

#include "common/model/marks.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;
using fakes::kPeerA;
using fakes::kPeerB;
using fakes::kPeerC;

namespace {

const std::string kFull =
    interface("Address = 10.5.0.2/24, fd05::2/64\nListenPort = 51820\n") +
    peer(kPeerA, "PresharedKey = " + fakes::kPresharedKey +
                     "\nEndpoint = 198.51.100.7:51820\nAllowedIPs = 0.0.0.0/0, ::/0, 10.7.0.0/16\n");

const DeviceDelta& delta_of(const Plan& plan) {
    for (const Step& step : plan.steps)
        if (const auto* configure = std::get_if<ConfigureDevice>(&step.act)) return *configure->delta;
    FAIL("no device step");
    throw 0;
}

} // namespace

TEST_CASE("a new tunnel, step by step") {
    Bench bench;
    const Plan plan = bench.converge(kFull);
    CHECK(
        texts(plan) ==
        std::vector<std::string>{
            "ip link add dev wg0 type wireguard",
            "wg set wg0 private-key (hidden) listen-port 51820 fwmark 0xca6c peer " + kPeerA +
                " preshared-key (hidden) endpoint 198.51.100.7:51820 allowed-ips 0.0.0.0/0,10.7.0.0/16,::/0",
            "nft -f - # table inet wgd-wg0: chains preraw, premangle, postmangle",
            "ip -4 address add 10.5.0.2/24 dev wg0",
            "ip -6 address add fd05::2/64 dev wg0",
            "ip link set dev wg0 mtu 1420",
            "ip link set dev wg0 up",
            "sysctl -w net.ipv4.conf.all.src_valid_mark=1",
            "ip -4 route add 10.7.0.0/16 dev wg0 proto 199",
            "ip -4 route add default dev wg0 table 51820 proto 199",
            "ip -6 route add default dev wg0 table 51820 proto 199",
            "ip -4 rule add table main suppress_prefixlength 0 priority 32764 protocol 199",
            "ip -4 rule add not fwmark 0xca6c table 51820 priority 32765 protocol 199",
            "ip -6 rule add table main suppress_prefixlength 0 priority 32764 protocol 199",
            "ip -6 rule add not fwmark 0xca6c table 51820 priority 32765 protocol 199",
        });
    // Deleting the link undoes all that hangs on it; only what does not has an undo of its own.
    for (const Step& step : plan.steps) {
        const bool own =
            std::holds_alternative<CreateLink>(step.act) || std::holds_alternative<AddRule>(step.act) ||
            std::holds_alternative<ReplaceTable>(step.act) || std::holds_alternative<SetSysctl>(step.act);
        CHECK(step.undo.size() == (own ? 1 : 0));
    }
    CHECK(bench.steps(bench.derive(kFull)).empty());
}

TEST_CASE("taking a tunnel away, rules first") {
    Bench bench;
    const std::string before = bench.kernel.dump();
    bench.converge(kFull);
    const std::vector<std::string> steps = texts(bench.remove());
    REQUIRE(steps.size() == 7);
    CHECK(steps[0].find("rule delete") != std::string::npos);
    CHECK(steps[4] == "ip link delete dev wg0");
    CHECK(steps[5] == "sysctl -w net.ipv4.conf.all.src_valid_mark=0");
    CHECK(steps[6] == "nft delete table inet wgd-wg0");
    CHECK(bench.kernel.dump() == before);
    CHECK(bench.remove().empty());
}

TEST_CASE("a link that is not ours is never deleted, whatever its name") {
    Bench bench;
    bench.kernel.add_link("wg0", 1420, "wireguard");
    CHECK(bench.remove().empty());
}

TEST_CASE("a route in the way") {
    Bench bench;
    const std::string text = interface() + peer(kPeerA, "AllowedIPs = 10.7.0.0/16, fd07::/48\n");
    SECTION("is a conflict that names it") {
        bench.kernel.add_route("10.7.0.0/16", "eth0");
        const auto plan = diff(bench.derive(text), bench.look());
        REQUIRE_FALSE(plan);
        CHECK(plan.error().code == ErrorCode::kConflict);
        CHECK(plan.error().message.find("10.7.0.0/16") != std::string::npos);
        CHECK(plan.error().message.find("'eth0'") != std::string::npos);
    }
    SECTION("IPv6 metric 0 is 1024") {
        bench.kernel.add_route("fd07::/48", "eth0", kMainTable, 1024);
        CHECK_FALSE(diff(bench.derive(text), bench.look()));
    }
    SECTION("is not one with another metric or in another table") {
        bench.kernel.add_route("10.7.0.0/16", "eth0", kMainTable, 100);
        bench.kernel.add_route("fd07::/48", "eth0", 99);
        bench.converge(text);
    }
}

TEST_CASE("a device that does not answer is not guessed at") {
    Bench bench;
    bench.converge(kFull);
    Snapshot snapshot = bench.look();
    snapshot.device.reset();
    const auto plan = diff(bench.derive(kFull), snapshot);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == ErrorCode::kBackend);
}

// ---- reload: the same operation on a tunnel that is there

TEST_CASE("a reload touches what changed") {
    Bench bench;
    const std::string a = peer(kPeerA, "AllowedIPs = 10.1.0.0/24\nEndpoint = 198.51.100.7:1\n");
    const std::string b = peer(kPeerB, "AllowedIPs = 10.2.0.0/24\nPersistentKeepalive = 25\nPresharedKey = " +
                                           fakes::kPresharedKey + "\n");
    bench.converge(interface("Address = 10.0.0.1/24\n") + a + b);

    SECTION("one peer's allowed IPs grow: only the new one is said") {
        const Plan plan = bench.converge(
            interface("Address = 10.0.0.1/24\n") +
            peer(kPeerA, "AllowedIPs = 10.1.0.0/24, 10.3.0.0/24\nEndpoint = 198.51.100.7:1\n") + b);
        CHECK(texts(plan) ==
              std::vector<std::string>{"wg set wg0 peer " + kPeerA + " allowed-ips +10.3.0.0/24",
                                       "ip -4 route add 10.3.0.0/24 dev wg0 proto 199"});
    }
    SECTION("an allowed IP moves to the other peer: it is added there, and no route changes") {
        const Plan plan = bench.converge(
            interface("Address = 10.0.0.1/24\n") + peer(kPeerA, "Endpoint = 198.51.100.7:1\n") +
            peer(kPeerB, "AllowedIPs = 10.2.0.0/24, 10.1.0.0/24\nPersistentKeepalive = 25\nPresharedKey = " +
                             fakes::kPresharedKey + "\n"));
        CHECK(texts(plan) ==
              std::vector<std::string>{"wg set wg0 peer " + kPeerB + " allowed-ips +10.1.0.0/24"});
    }
    SECTION("a preshared key and a keepalive that left the file go") {
        const Plan plan = bench.converge(interface("Address = 10.0.0.1/24\n") + a +
                                         peer(kPeerB, "AllowedIPs = 10.2.0.0/24\n"));
        CHECK(texts(plan) == std::vector<std::string>{"wg set wg0 peer " + kPeerB +
                                                      " preshared-key /dev/null persistent-keepalive off"});
    }
    SECTION("a peer comes, a peer goes") {
        const Plan plan = bench.converge(interface("Address = 10.0.0.1/24\n") + a +
                                         peer(kPeerC, "AllowedIPs = 10.4.0.0/24\n"));
        const DeviceDelta& delta = delta_of(plan);
        CHECK_FALSE(delta.replace_peers);
        CHECK(delta.peers.size() == 2); // kPeerA keeps its session
    }
    SECTION("another address") {
        const Plan plan = bench.converge(interface("Address = 10.0.0.2/24\n") + a + b);
        // Not a moment without an address: the last one would take the routes along.
        CHECK(texts(plan) == std::vector<std::string>{"ip -4 address add 10.0.0.2/24 dev wg0",
                                                      "sysctl -w net.ipv4.conf.wg0.promote_secondaries=1",
                                                      "ip -4 address delete 10.0.0.1/24 dev wg0"});
        CHECK(bench.steps(bench.derive(interface("Address = 10.0.0.2/24\n") + a + b)).empty());
    }
    SECTION("nothing") {
        CHECK(bench.converge(interface("Address = 10.0.0.1/24\n") + a + b).empty());
    }
}

TEST_CASE("from a split to a full tunnel and back, the mark comes and goes (D1)") {
    Bench bench;
    const std::string before_all = bench.kernel.dump();
    const std::string split = interface() + peer(kPeerA, "AllowedIPs = 10.1.0.0/24\n");
    const std::string full = interface() + peer(kPeerA, "AllowedIPs = 10.1.0.0/24, 0.0.0.0/0\n");
    bench.converge(split);
    const std::string before = bench.kernel.dump();
    bench.converge(full);
    CHECK(bench.kernel.device("wg0")->fwmark == 51820);
    CHECK(bench.converge(full).empty()); // a second reload does not reset it
    bench.converge(split);
    CHECK(bench.kernel.device("wg0")->fwmark == 0);
    CHECK(bench.kernel.dump() == before);
    bench.remove();
    CHECK(bench.kernel.dump() == before_all);
}

TEST_CASE("an endpoint: the file's where it changed, the peer's own where it roamed") {
    Bench bench;
    const auto text = [](const std::string& endpoint) {
        return interface() + peer(kPeerA, "AllowedIPs = 10.1.0.0/24\nEndpoint = " + endpoint + "\n");
    };
    const PublicKey key = *PublicKey::from_base64(kPeerA);
    bench.converge(text("198.51.100.7:1"));
    bench.policy.applied_endpoints[key] = *Endpoint::parse("198.51.100.7:1");
    bench.kernel.device("wg0")->peers[0].endpoint = Endpoint::parse("203.0.113.9:9");
    CHECK(bench.converge(text("198.51.100.7:1")).empty());
    const Plan plan = bench.converge(text("198.51.100.8:1"));
    CHECK(texts(plan) == std::vector<std::string>{"wg set wg0 peer " + kPeerA + " endpoint 198.51.100.8:1"});
    // Looking again after an apply, a peer that roams in that very moment is no difference.
    bench.kernel.device("wg0")->peers[0].endpoint = Endpoint::parse("203.0.113.9:9");
    Desired again = bench.derive(text("198.51.100.8:1"));
    again.ignore_endpoints = true;
    CHECK(bench.steps(again).empty());
}

TEST_CASE("an automatic link-local address is the kernel's business") {
    Bench bench;
    bench.policy.backend = Backend::kUserspace;
    const std::string text = interface("Address = 10.0.0.1/24\n");
    bench.converge(text);
    CHECK(bench.look().addresses["wg0"].size() == 2);
    CHECK(bench.steps(bench.derive(text)).empty());
}

TEST_CASE("another tunnel's rules are not this one's (D3)") {
    Bench bench;
    const std::string full = interface() + peer(kPeerA, "AllowedIPs = 0.0.0.0/0\n");
    bench.converge(full);
    const std::string with_first = bench.kernel.dump();
    const Policy first = std::exchange(bench.policy, Policy{});
    bench.link = "wg1";
    bench.policy.sysctls_shared.insert(std::string(kSrcValidMark));
    bench.converge(full);
    CHECK(bench.kernel.device("wg1")->fwmark == 51821);
    bench.remove();
    CHECK(bench.kernel.dump() == with_first);
    // A tunnel whose record was lost is known by its mark; its suppress rule by its place.
    bench.converge(full);
    bench.policy.owned_rules.clear();
    bench.remove();
    CHECK(bench.kernel.dump() == with_first);
}
