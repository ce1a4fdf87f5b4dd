// SPDX-License-Identifier: MIT
// A full tunnel's nftables table in the plan. That the text loads and works is tests/netns/firewall's
// business.
#include <catch2/catch.hpp>

#include <algorithm>

#include "common/config/parser.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/plan/plan.hpp"

using namespace wgd;
using namespace wgd::plan;

namespace {

constexpr const char* kFull = "[Interface]\n"
                              "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
                              "Address = 10.5.0.2/24, fd05::2/64\n"
                              "[Peer]\n"
                              "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n"
                              "AllowedIPs = 0.0.0.0/0, ::/0\n";

Profile profile(std::string text) {
    auto outcome = parse(text, *ProfileName::parse("home"));
    REQUIRE(outcome.profile);
    return std::move(*outcome.profile);
}

std::string replace(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
}

// The world after the table of `desired` was put there.
void settle(const Desired& desired, Snapshot& snapshot, Policy& policy) {
    for (const ReplaceTable& table : desired.tables) {
        snapshot.tables[table.name] = {table.digest, 1};
        policy.applied_tables[table.name] = table.transaction;
    }
}

template <class T>
std::vector<const T*> steps_of(const Plan& plan) {
    std::vector<const T*> found;
    for (const Step& step : plan.steps)
        if (const auto* op = std::get_if<T>(&step.act)) found.push_back(op);
    return found;
}

} // namespace

TEST_CASE("a full tunnel has a table with its addresses and its mark; a split one has none") {
    const auto full = derive_desired(profile(kFull), {}, {}, {});
    REQUIRE(full);
    REQUIRE(full->tables.size() == 1);
    const ReplaceTable& table = full->tables.front();
    CHECK(table.name == "wgd-home");
    CHECK(table.transaction.find("ip daddr { 10.5.0.2 } fib saddr type != local drop") != std::string::npos);
    CHECK(table.transaction.find("ip6 daddr { fd05::2 } fib saddr type != local drop") != std::string::npos);
    CHECK(table.transaction.find("meta mark 0xca6c ct mark set meta mark") != std::string::npos);

    CHECK(
        derive_desired(profile(replace(kFull, "0.0.0.0/0, ::/0", "10.0.0.0/8")), {}, {}, {})->tables.empty());
    CHECK(
        derive_desired(profile(replace(kFull, "[Peer]", "Table = off\n[Peer]")), {}, {}, {})->tables.empty());
}

TEST_CASE("without nftables a full tunnel comes up and says what is missing") {
    Snapshot snapshot;
    snapshot.nftables_problem = "nftables cannot be used here: Operation not supported";
    const auto full = derive_desired(profile(kFull), {}, {}, snapshot);
    REQUIRE(full);
    CHECK(full->tables.empty());
    CHECK(std::any_of(full->warnings.begin(), full->warnings.end(), [](const std::string& warning) {
        return warning.find("Operation not supported") != std::string::npos;
    }));
}

TEST_CASE("the table comes before the addresses, is kept when nothing changes, and goes last") {
    Snapshot snapshot;
    Policy policy;
    const auto full = derive_desired(profile(kFull), {}, policy, snapshot);
    const auto up = diff(*full, snapshot);
    REQUIRE(up);
    const auto index = [&](auto is) {
        return std::find_if(up->steps.begin(), up->steps.end(), is) - up->steps.begin();
    };
    CHECK(index([](const Step& s) { return std::holds_alternative<ReplaceTable>(s.act); }) <
          index([](const Step& s) { return std::holds_alternative<AddAddress>(s.act); }));
    for (const Step& step : up->steps)
        if (std::holds_alternative<ReplaceTable>(step.act)) {
            REQUIRE(step.undo.size() == 1);
            CHECK(std::get<RemoveTable>(step.undo.front()).name == "wgd-home");
        }

    settle(*full, snapshot, policy);
    CHECK(steps_of<ReplaceTable>(*diff(*full, snapshot)).empty());

    const auto down = diff(derive_absent(*ProfileName::parse("home"), policy), snapshot);
    REQUIRE(down);
    REQUIRE_FALSE(down->steps.empty());
    const Step& last = down->steps.back();
    CHECK(std::get<RemoveTable>(last.act).name == "wgd-home");
    REQUIRE(last.undo.size() == 1);
    CHECK(std::get<ReplaceTable>(last.undo.front()).transaction == full->tables.front().transaction);
}

TEST_CASE("another address replaces the table and can be taken back; no longer full removes it") {
    Snapshot snapshot;
    Policy policy;
    const auto before = derive_desired(profile(kFull), {}, policy, snapshot);
    settle(*before, snapshot, policy);

    const auto after =
        derive_desired(profile(replace(kFull, "10.5.0.2/24", "10.5.0.3/24")), {}, policy, snapshot);
    const auto change = diff(*after, snapshot);
    const auto replaced = steps_of<ReplaceTable>(*change);
    REQUIRE(replaced.size() == 1);
    CHECK(replaced.front()->transaction.find("10.5.0.3") != std::string::npos);
    for (const Step& step : change->steps)
        if (std::holds_alternative<ReplaceTable>(step.act))
            CHECK(std::get<ReplaceTable>(step.undo.at(0)).transaction == before->tables.front().transaction);

    const auto split =
        derive_desired(profile(replace(kFull, "0.0.0.0/0, ::/0", "10.0.0.0/8")), {}, policy, snapshot);
    CHECK(steps_of<RemoveTable>(*diff(*split, snapshot)).size() == 1);
}
