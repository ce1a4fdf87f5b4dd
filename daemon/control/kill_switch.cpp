// SPDX-License-Identifier: MIT
#include "daemon/control/kill_switch.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/base/log.hpp"
#include "daemon/plan/exclusion.hpp"

namespace wgd::control {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;

// nullopt: no table is wanted. The local network is allowed if all who want the switch allow it.
std::optional<plan::LockTable> wanted(const KillSwitch::Holds& holds, plan::LockMode lockdown) {
    if (holds.empty() && lockdown == plan::LockMode::kOff) return std::nullopt;
    plan::LockTable table;
    table.allow_lan = lockdown != plan::LockMode::kOn;
    for (const auto& [name, hold] : holds) {
        table.tunnels.push_back(hold.passes);
        table.allow_lan = table.allow_lan && hold.allow_lan;
    }
    return table;
}

} // namespace

plan::LockMode KillSwitch::mode_of(const ProfileName& name) const {
    if (!holds(name)) return plan::LockMode::kOff;
    return wanted(holds_, lockdown_)->allow_lan ? plan::LockMode::kLan : plan::LockMode::kOn;
}

bool KillSwitch::passes(const ProfileName& name, const Endpoint& endpoint) const {
    const auto held = holds_.find(name);
    if (held == holds_.end()) return true;
    const auto table = wanted(holds_, lockdown_);
    const auto in = [&](const std::vector<IpPrefix>& ranges) {
        return std::any_of(ranges.begin(), ranges.end(),
                           [&](const IpPrefix& range) { return range.contains(endpoint.address); });
    };
    const auto& endpoints = held->second.passes.endpoints;
    return std::any_of(endpoints.begin(), endpoints.end(),
                       [&](const Endpoint& known) {
                           return known.address == endpoint.address && known.port == endpoint.port;
                       }) ||
           (table->allow_lan && in(plan::lan_ranges())) ||
           std::any_of(table->tunnels.begin(), table->tunnels.end(),
                       [&](const plan::LockedTunnel& tunnel) { return in(tunnel.excluded); });
}

Result<KillSwitch::Holds> KillSwitch::written_down() {
    const auto text = journal_.load_lock();
    WGD_TRY(text);
    if (text->empty()) return Holds{};
    return holds_from_json(*text);
}

void KillSwitch::recover(plan::LockMode lockdown, Done done) {
    lockdown_ = lockdown;
    // Without nftables there is no table; if one is wanted, making it says why it cannot be.
    if (const auto tables = reader_.read_tables())
        if (const auto found = tables->find(std::string(plan::kLockTable)); found != tables->end())
            digest_ = found->second.digest.empty() ? "?" : found->second.digest;

    auto holds = written_down();
    // In doubt, closed: a daemon of another version wrote it, or somebody emptied /run.
    if (!digest_.empty() && (!holds || holds->empty()))
        doubt_ = holds ? Doubt::kUnrecorded : Doubt::kUnreadable;
    if (holds) {
        holds_ = std::move(*holds);
        if (!holds_.empty()) log::notice("the kill switch is closed ({} tunnel(s))", holds_.size());
        if (in_doubt()) return done({});
        // Whatever is there in our name, also somebody's imitation of it, is made what it should be.
        return enqueue([](State&) {}, std::move(done), wanted(holds_, lockdown_).has_value());
    }
    if (in_doubt() || lockdown_ == plan::LockMode::kOff) return done(fail(std::move(holds).error()));
    enqueue([](State&) {},
            [unreadable = std::move(holds).error(), done = std::move(done)](Result<void> closed) {
                done(closed ? fail(unreadable) : std::move(closed));
            },
            true);
}

void KillSwitch::settle(Done done) {
    const Doubt doubt = std::exchange(doubt_, Doubt::kNone);
    if (doubt == Doubt::kNone) return done({});
    const bool wants_one =
        busy_ || !tasks_.empty() || wanted(holds_, lockdown_); // what is on its way are holds
    if (!wants_one && doubt == Doubt::kUnreadable) {
        digest_.clear();
        log::error(
            "whose the closed kill switch is cannot be known; it stays closed until a tunnel that has one is "
            "brought up and down, or `nft delete table inet {}`",
            plan::kLockTable);
        return done({});
    }
    enqueue([](State&) {}, std::move(done), true);
}

void KillSwitch::close(const ProfileName& name, Hold hold, Done done) {
    enqueue([name, hold = std::move(hold)](State& state) { state.holds.insert_or_assign(name, hold); },
            std::move(done));
}

void KillSwitch::open(const ProfileName& name, Done done) {
    enqueue([name](State& state) { state.holds.erase(name); }, std::move(done));
}

void KillSwitch::set_lockdown(plan::LockMode lockdown, Done done) {
    enqueue([lockdown](State& state) { state.lockdown = lockdown; }, std::move(done));
}

void KillSwitch::world_changed() {
    look_again_ = busy_;
    if (digest_.empty() || in_doubt() || busy_) return;
    const auto tables = reader_.read_tables();
    if (!tables) return;
    const auto found = tables->find(std::string(plan::kLockTable));
    if (found != tables->end() && found->second.digest == digest_ && found->second.content == content_)
        return;
    const std::string what = std::string("the kill switch's nftables table was ") +
                             (found == tables->end() ? "removed" : "changed") + " by somebody";
    log::warning("{}; it is put back", what);
    if (repaired_) repaired_(what);
    enqueue([](State&) {},
            [](const Result<void>& put) {
                if (!put) log::error("the kill switch is open: {}", put.error().message);
            },
            true);
}

void KillSwitch::enqueue(Change change, Done done, bool anew) {
    tasks_.push_back({std::move(change), std::move(done), anew});
    if (!busy_) next();
}

void KillSwitch::next() {
    if (tasks_.empty()) return;
    busy_ = true;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    State state{holds_, lockdown_};
    task.change(state);

    // On disk first: a daemon that dies in between finds out what was meant, and does it.
    if (state.holds != holds_ || task.anew)
        if (auto saved = journal_.save_lock(state.holds.empty() ? "" : to_json(state.holds)); !saved)
            return finish(std::move(saved), std::move(task.done));

    const auto table = wanted(state.holds, state.lockdown);
    plan::Op op = plan::RemoveTable{std::string(plan::kLockTable)};
    std::string digest;
    if (table) {
        plan::ReplaceTable replace = render(*table);
        digest = replace.digest;
        op = std::move(replace);
    }
    const auto succeed = [this, state, digest] {
        holds_ = state.holds;
        lockdown_ = state.lockdown;
        digest_ = digest;
    };
    if (digest == digest_ && !task.anew) {
        succeed();
        return finish({}, std::move(task.done));
    }
    executor_.perform(op, [this, weak = std::weak_ptr<bool>(alive_), succeed,
                           done = std::move(task.done)](Result<void> result) mutable {
        if (weak.expired()) return;
        if (result) {
            succeed();
            note_content();
        } else if (auto restored = journal_.save_lock(holds_.empty() ? "" : to_json(holds_)); !restored) {
            log::error("{}", restored.error().message);
        }
        finish(std::move(result), std::move(done));
    });
}

void KillSwitch::finish(Result<void> result, Done done) {
    busy_ = false;
    const std::weak_ptr<bool> weak = alive_;
    done(std::move(result));
    if (weak.expired() || busy_) return;
    if (!tasks_.empty()) return next();
    if (look_again_) world_changed();
}

void KillSwitch::note_content() {
    content_ = 0;
    if (digest_.empty()) return;
    if (const auto tables = reader_.read_tables())
        if (const auto found = tables->find(std::string(plan::kLockTable)); found != tables->end())
            content_ = found->second.content;
}

std::string to_json(const KillSwitch::Holds& holds) {
    Json tunnels = Json::object();
    for (const auto& [name, hold] : holds) {
        std::vector<std::string> endpoints, excluded;
        for (const Endpoint& endpoint : hold.passes.endpoints)
            endpoints.push_back(endpoint.to_string());
        for (const IpPrefix& prefix : hold.passes.excluded)
            excluded.push_back(prefix.to_string());
        tunnels[name.str()] = {
            {"mark", hold.passes.fwmark},   {"lan", hold.allow_lan},  {"asks_names", hold.passes.asks_names},
            {"probes", hold.passes.probes}, {"endpoints", endpoints}, {"excluded", excluded}};
    }
    return Json{{"version", kVersion}, {"tunnels", tunnels}}.dump();
}

Result<KillSwitch::Holds> holds_from_json(std::string_view text) {
    try {
        const Json json = Json::parse(text);
        if (json.at("version").get<int>() != kVersion)
            return fail(ErrorCode::kParse, "kill switch's record: of another version of wgd");
        KillSwitch::Holds holds;
        for (const auto& [key, value] : json.at("tunnels").items()) {
            const auto name = ProfileName::parse(key);
            if (!name) return fail(ErrorCode::kParse, "kill switch's record: not a tunnel");
            KillSwitch::Hold hold;
            hold.passes.link = name->str();
            hold.passes.fwmark = value.at("mark").get<std::uint32_t>();
            hold.passes.asks_names = value.at("asks_names").get<bool>();
            hold.passes.probes = value.value("probes", false);
            hold.allow_lan = value.at("lan").get<bool>();
            for (const Json& item : value.at("endpoints")) {
                const auto endpoint = Endpoint::parse(item.get<std::string>());
                if (!endpoint) return fail(ErrorCode::kParse, "kill switch's record: not an endpoint");
                hold.passes.endpoints.push_back(*endpoint);
            }
            for (const Json& item : value.at("excluded")) {
                const auto prefix = IpPrefix::parse(item.get<std::string>());
                if (!prefix) return fail(ErrorCode::kParse, "kill switch's record: not a prefix");
                hold.passes.excluded.push_back(*prefix);
            }
            holds.emplace(*name, std::move(hold));
        }
        return holds;
    } catch (const std::exception& error) {
        return fail(ErrorCode::kParse, std::string("kill switch's record: ") + error.what());
    }
}

} // namespace wgd::control
