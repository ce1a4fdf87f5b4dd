// SPDX-License-Identifier: MIT
// A planner at work on a fake kernel, without a daemon around it.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/config/parser.hpp"
#include "daemon/plan/plan.hpp"
#include "tests/fakes/fake_world.hpp"
#include "tests/fakes/profiles.hpp"

namespace wgd::plan {

inline Profile parsed(const std::string& text, const std::string& name = "wg0") {
    auto outcome = parse(text, *ProfileName::parse(name));
    for (const Diagnostic& diagnostic : outcome.diagnostics)
        UNSCOPED_INFO(format(diagnostic, name + ".conf"));
    REQUIRE(outcome.profile);
    return std::move(*outcome.profile);
}

struct Bench {
    fakes::FakeWorld world;
    fakes::FakeKernel& kernel = world.kernel;
    Policy policy;
    ResolvedEndpoints endpoints;
    std::string link = "wg0";

    Bench() {
        kernel.add_link("lo", 65536);
        kernel.add_link("eth0", 1500);
        kernel.add_address("eth0", "192.168.1.10/24");
        kernel.add_route("0.0.0.0/0", "eth0");
    }

    Snapshot look() {
        ports::SnapshotScope scope{link, {}, 0, {std::string(kSrcValidMark), promote_secondaries_key(link)}};
        for (const auto& [peer, endpoint] : endpoints)
            scope.endpoints.push_back(endpoint.address);
        auto snapshot = kernel.read(scope);
        REQUIRE(snapshot);
        return std::move(*snapshot);
    }
    Result<Desired> try_derive(const std::string& text) {
        const Profile profile = parsed(text, link);
        ResolvedEndpoints all = endpoints;
        for (const ProfilePeer& peer : profile.peers)
            if (peer.endpoint)
                if (const auto numeric = peer.endpoint->numeric()) all.emplace(peer.public_key, *numeric);
        return derive_desired(profile, all, policy, look());
    }
    Desired derive(const std::string& text) {
        auto desired = try_derive(text);
        if (!desired) FAIL(desired.error().message);
        return std::move(*desired);
    }
    Plan steps(const Desired& desired) {
        auto plan = diff(desired, look());
        if (!plan) FAIL(plan.error().message);
        return std::move(*plan);
    }
    void apply(const Plan& plan) {
        for (const Step& step : plan.steps) {
            const auto result = kernel.apply(step.act);
            if (!result) FAIL(describe(step.act) << ": " << result.error().message);
        }
    }
    // As the daemon does: derive, diff, apply, remember.
    Plan converge(const std::string& text) {
        const Desired desired = derive(text);
        Plan plan = steps(desired);
        apply(plan);
        remember(desired);
        return plan;
    }
    void remember(const Desired& desired) {
        if (!desired.sysctls_needed.empty() && policy.original_sysctls.empty())
            policy.original_sysctls[std::string(kSrcValidMark)] = "0";
        policy.owned_mark = desired.mark;
        policy.owned_rules = desired.rules;
        policy.applied_tables.clear();
        for (const ReplaceTable& table : desired.tables)
            policy.applied_tables.emplace(table.name, table.transaction);
    }
    Plan remove() {
        const Plan plan = steps(derive_absent(*ProfileName::parse(link), policy));
        apply(plan);
        return plan;
    }
};

inline std::vector<std::string> texts(const Plan& plan) {
    std::vector<std::string> lines;
    for (const Step& step : plan.steps)
        lines.push_back(describe(step.act));
    return lines;
}

inline std::string interface(const std::string& more = "") {
    return "[Interface]\nPrivateKey = " + fakes::kPrivateKey + "\n" + more;
}
inline std::string peer(const std::string& key, const std::string& more) {
    return "[Peer]\nPublicKey = " + key + "\n" + more;
}

} // namespace wgd::plan
