// SPDX-License-Identifier: MIT
#include "daemon/control/record.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "common/base/encoding.hpp"
#include "daemon/plan/op_json.hpp"

namespace wgd::control {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::pair<Record::Intent, std::string_view> kIntents[] = {
    {Record::Intent::kUp, "up"}, {Record::Intent::kReconcile, "reconcile"}, {Record::Intent::kDown, "down"}};

struct BadRecord : std::runtime_error {
    using std::runtime_error::runtime_error;
};

Record::Intent intent_from(const std::string& text) {
    for (const auto& [intent, name] : kIntents)
        if (name == text) return intent;
    throw BadRecord("unknown intent '" + text + "'");
}

} // namespace

std::string to_json(const Record& record) {
    Json json{{"version", kVersion},
              {"backend", plan::to_string(record.backend)},
              {"backend_reason", record.backend_reason},
              {"original_sysctls", record.original_sysctls},
              {"profile_digest", record.profile_digest},
              {"tables", record.tables},
              {"dns_backend", record.dns_backend},
              {"dns_reason", record.dns_reason}};
    json["mtu"] = record.mtu;
    for (const auto& [address, mtu] : record.path_mtus)
        json["path_mtus"][address.to_string()] = mtu;
    json["fwmark_given"] = record.fwmark_given;
    json["hooks"] = {{"pre_up", record.hooks.pre_up},
                     {"post_up", record.hooks.post_up},
                     {"pre_down", record.hooks.pre_down},
                     {"post_down", record.hooks.post_down}};
    for (const IpPrefix& address : record.by_hooks.addresses)
        json["by_hooks"]["addresses"].push_back(address.to_string());
    if (record.by_hooks.mtu) json["by_hooks"]["mtu"] = *record.by_hooks.mtu;
    for (const PublicKey& peer : record.by_hooks.peers)
        json["by_hooks"]["peers"].push_back(peer.to_base64());
    for (const auto& [intent, name] : kIntents)
        if (intent == record.intent) json["intent"] = name;
    if (record.mark) json["mark"] = *record.mark;
    if (!record.netns.empty()) json["netns"] = record.netns;
    std::vector<plan::Op> rules;
    for (const plan::Rule& rule : record.rules)
        rules.push_back(plan::AddRule{rule});
    json["rules"] = Json::parse(plan::ops_to_json(rules));
    json["endpoints"] = Json::object();
    for (const auto& [key, endpoint] : record.endpoints)
        json["endpoints"][key.to_base64()] = endpoint.to_string();
    if (record.endpoint_specs) {
        json["endpoint_specs"] = Json::object();
        for (const auto& [key, spec] : *record.endpoint_specs)
            json["endpoint_specs"][key.to_base64()] = spec;
    }
    return json.dump();
}

Result<Record> record_from_json(std::string_view text) {
    try {
        const Json json = Json::parse(text);
        if (json.at("version").get<int>() != kVersion)
            return fail(ErrorCode::kParse, "tunnel record: of another version of wgd");
        Record record;
        record.intent = intent_from(json.at("intent").get<std::string>());
        record.backend = json.at("backend").get<std::string>() == plan::to_string(plan::Backend::kKernel)
                             ? plan::Backend::kKernel
                             : plan::Backend::kUserspace;
        record.backend_reason = json.at("backend_reason").get<std::string>();
        record.original_sysctls = json.at("original_sysctls").get<std::map<std::string, std::string>>();
        record.profile_digest = json.at("profile_digest").get<std::string>();
        record.tables = json.value("tables", record.tables);
        record.mtu = json.value("mtu", 0U);
        if (const auto mtus = json.find("path_mtus"); mtus != json.end())
            for (const auto& [key, value] : mtus->items()) {
                const auto address = IpAddress::parse(key);
                if (!address) throw BadRecord("not an endpoint's address");
                record.path_mtus.emplace(*address, value.get<std::uint32_t>());
            }
        record.fwmark_given = json.value("fwmark_given", false);
        record.dns_backend = json.value("dns_backend", record.dns_backend);
        record.dns_reason = json.value("dns_reason", record.dns_reason);
        if (const auto hooks = json.find("hooks"); hooks != json.end())
            record.hooks = {hooks->at("pre_up").get<std::vector<std::string>>(),
                            hooks->at("post_up").get<std::vector<std::string>>(),
                            hooks->at("pre_down").get<std::vector<std::string>>(),
                            hooks->at("post_down").get<std::vector<std::string>>()};
        if (const auto made = json.find("by_hooks"); made != json.end()) {
            for (const std::string& prefix : made->value("addresses", std::vector<std::string>{})) {
                const auto address = IpPrefix::parse(prefix);
                if (!address) throw BadRecord("not an address");
                record.by_hooks.addresses.push_back(*address);
            }
            for (const std::string& key : made->value("peers", std::vector<std::string>{})) {
                const auto peer = PublicKey::from_base64(key);
                if (!peer) throw BadRecord("not a peer");
                record.by_hooks.peers.insert(*peer);
            }
            if (made->contains("mtu")) record.by_hooks.mtu = made->at("mtu").get<std::uint32_t>();
        }
        record.netns = json.value("netns", "");
        if (json.contains("mark")) record.mark = json.at("mark").get<std::uint32_t>();
        auto rules = plan::ops_from_json(json.at("rules").dump());
        WGD_TRY(rules);
        for (const plan::Op& op : *rules)
            if (const auto* add = std::get_if<plan::AddRule>(&op)) record.rules.push_back(add->rule);
        for (const auto& [key, value] : json.at("endpoints").items()) {
            const auto peer = PublicKey::from_base64(key);
            const auto endpoint = Endpoint::parse(value.get<std::string>());
            if (!peer || !endpoint) throw BadRecord("not a peer's endpoint");
            record.endpoints.emplace(*peer, *endpoint);
        }
        if (const auto specs = json.find("endpoint_specs"); specs != json.end()) {
            record.endpoint_specs.emplace();
            for (const auto& [key, value] : specs->items()) {
                const auto peer = PublicKey::from_base64(key);
                if (!peer) throw BadRecord("not a peer's endpoint");
                record.endpoint_specs->emplace(*peer, value.get<std::string>());
            }
        }
        return record;
    } catch (const std::exception& error) {
        return fail(ErrorCode::kParse, std::string("tunnel record: ") + error.what());
    }
}

std::string profile_digest(const SecretText& text) {
    std::array<std::uint8_t, 32> hash{};
    // Plain bytes of a text: unsigned char may look at any object.
    crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size(), nullptr, 0);
    return encode_hex(hash);
}

} // namespace wgd::control
