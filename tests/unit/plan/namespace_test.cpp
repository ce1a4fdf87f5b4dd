// SPDX-License-Identifier: MIT
// A tunnel in a network namespace of its own: what is done where, and what goes with it.
#include <algorithm>

#include "daemon/plan/op_json.hpp"
#include "tests/unit/plan/plan_fixture.hpp"

using namespace wgd;
using namespace wgd::plan;
using fakes::kPeerA;

namespace {

struct Inside : Bench {
    Inside() { policy.netns = "vpn"; }

    Snapshot look_inside() {
        ports::SnapshotScope scope{link, {*IpAddress::parse("198.51.100.7")}, 0, {}};
        scope.netns = policy.netns;
        auto snapshot = kernel.read(scope);
        REQUIRE(snapshot);
        return std::move(*snapshot);
    }
    Desired want(const std::string& text) {
        const Profile profile = parsed(text, link);
        ResolvedEndpoints all;
        for (const ProfilePeer& peer : profile.peers)
            if (peer.endpoint) all.emplace(peer.public_key, *peer.endpoint->numeric());
        auto desired = derive_desired(profile, all, policy, look_inside());
        if (!desired) FAIL(desired.error().message);
        return std::move(*desired);
    }
    Plan steps_for(const Desired& desired) {
        auto plan = diff(desired, look_inside());
        if (!plan) FAIL(plan.error().message);
        return std::move(*plan);
    }
    Plan up(const std::string& text) {
        Plan plan = steps_for(want(text));
        apply(plan);
        return plan;
    }
    Plan down() {
        Plan plan = steps_for(derive_absent(*ProfileName::parse(link), policy));
        apply(plan);
        return plan;
    }
};

const std::string kFull = interface("Address = 10.5.0.2/32, fd05::2/128\nDNS = 10.5.0.1, corp.example\n") +
                          peer(kPeerA, "Endpoint = 198.51.100.7:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n");

} // namespace

TEST_CASE("the link is made outside and moved; everything else is done inside, with no policy routing") {
    Inside bench;
    CHECK(texts(bench.up(kFull)) ==
          std::vector<std::string>{
              "ip netns add vpn",
              "ip netns exec vpn ip link set dev lo up",
              "ip link add dev wg0 type wireguard",
              "ip link set dev wg0 netns vpn",
              "ip netns exec vpn wg set wg0 private-key (hidden) peer " + kPeerA +
                  " endpoint 198.51.100.7:51820 allowed-ips 0.0.0.0/0,::/0",
              "ip netns exec vpn ip -4 address add 10.5.0.2/32 dev wg0",
              "ip netns exec vpn ip -6 address add fd05::2/128 dev wg0",
              "ip netns exec vpn ip link set dev wg0 mtu 1420",
              "ip netns exec vpn ip link set dev wg0 up",
              "ip netns exec vpn ip -4 route add default dev wg0 proto 199",
              "ip netns exec vpn ip -6 route add default dev wg0 proto 199",
              "tee /etc/netns/vpn/resolv.conf # nameserver 10.5.0.1;search corp.example;",
          });
    CHECK(bench.steps_for(bench.want(kFull)).empty());
    CHECK_FALSE(bench.kernel.has_link("wg0"));
    CHECK(bench.kernel.rules().size() == 5); // the kernel's own
}

TEST_CASE("down leaves nothing, in there or out here") {
    Inside bench;
    const std::string before = bench.kernel.dump();
    bench.up(kFull);
    CHECK(texts(bench.down()) == std::vector<std::string>{"ip netns exec vpn ip link delete dev wg0",
                                                          "rm /etc/netns/vpn/resolv.conf",
                                                          "ip netns delete vpn"});
    CHECK(bench.kernel.dump() == before);
    CHECK(bench.down().empty());
}

TEST_CASE("failing after any step, its undo and those before it leave the world as it was") {
    for (const bool foreign : {false, true}) {
        Inside probe;
        if (foreign) probe.kernel.add_netns("vpn");
        const std::size_t count = probe.up(kFull).steps.size();
        for (std::size_t failing = 0; failing <= count; ++failing) {
            Inside bench;
            if (foreign) {
                bench.kernel.add_netns("vpn");
                REQUIRE(bench.kernel.apply(in_namespace("vpn", SetLinkUp{"lo", true})));
            }
            const std::string before = bench.kernel.dump();
            const Plan plan = bench.steps_for(bench.want(kFull));
            const std::size_t taken = std::min(failing, plan.steps.size());
            for (std::size_t i = 0; i < taken; ++i)
                REQUIRE(bench.kernel.apply(plan.steps[i].act));
            for (std::size_t i = taken; i-- > 0;) {
                // As the undo log of a daemon that crashed has it.
                const auto undo = ops_from_json(ops_to_json(plan.steps[i].undo));
                REQUIRE(undo);
                for (const Op& op : *undo)
                    CHECK(bench.kernel.apply(op));
            }
            CHECK(bench.kernel.dump() == before);
        }
    }
}

TEST_CASE("a down that fails puts everything back in there") {
    Inside bench;
    bench.up(kFull);
    const std::string before = bench.kernel.dump();
    const Plan plan = bench.steps_for(derive_absent(*ProfileName::parse("wg0"), bench.policy));
    bench.apply(plan);
    for (auto step = plan.steps.rbegin(); step != plan.steps.rend(); ++step)
        for (const Op& op : step->undo)
            CHECK(bench.kernel.apply(op));
    CHECK(bench.kernel.dump() == before);
}

TEST_CASE("a namespace of somebody else's is used and stays; so does one that is in use") {
    Inside bench;
    bench.kernel.add_netns("vpn");
    bench.up(kFull);
    bench.down();
    CHECK(bench.kernel.netns("vpn") != nullptr);

    Inside busy;
    busy.up(kFull);
    busy.kernel.enter_netns("vpn");
    busy.down();
    REQUIRE(busy.kernel.netns("vpn") != nullptr);
    CHECK_FALSE(busy.kernel.netns("vpn")->has_link("wg0"));
    CHECK(busy.down().empty());
}

TEST_CASE("a resolv.conf of somebody else's is left alone, and that is said") {
    Inside bench;
    bench.kernel.set_netns_dns("vpn", "nameserver 192.0.2.53\n");
    const auto warnings = bench.want(kFull).warnings;
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find("/etc/netns/vpn/resolv.conf is not this tunnel's") == 0);
    bench.up(kFull);
    bench.down();
    CHECK(bench.kernel.netns_dns("vpn") == "nameserver 192.0.2.53\n");
}

TEST_CASE("a default route in there is in the way") {
    Inside bench;
    bench.kernel.add_netns("vpn");
    bench.kernel.netns("vpn")->add_link("veth0", 1500);
    bench.kernel.netns("vpn")->add_route("0.0.0.0/0", "veth0");
    const auto plan = diff(bench.want(kFull), bench.look_inside());
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == ErrorCode::kConflict);
}

TEST_CASE("the path to the endpoint is looked up outside") {
    Inside bench;
    bench.kernel.add_link("ppp0", 1400);
    bench.kernel.add_route("198.51.100.0/24", "ppp0");
    CHECK(bench.want(kFull).mtu == 1320);
}

TEST_CASE("ops in a namespace survive the undo log; one within another does not") {
    const auto ops = ops_from_json(
        ops_to_json({CreateNamespace{"vpn"}, RemoveNamespace{"vpn"}, MoveLink{"wg0", "vpn"},
                     SetNamespaceDns{"vpn", "# x\ny\n"}, in_namespace("vpn", SetMtu{"wg0", 1400})}));
    REQUIRE(ops);
    std::vector<std::string> lines;
    for (const Op& op : *ops)
        lines.push_back(describe(op));
    CHECK(lines == std::vector<std::string>{"ip netns add vpn", "ip netns delete vpn",
                                            "ip link set dev wg0 netns vpn",
                                            "tee /etc/netns/vpn/resolv.conf # y;",
                                            "ip netns exec vpn ip link set dev wg0 mtu 1400"});
    CHECK_FALSE(ops_from_json(R"([{"op":"in_namespace","netns":"a","inner":)"
                              R"({"op":"in_namespace","netns":"b","inner":{"op":"delete_link"}}}])"));
}
