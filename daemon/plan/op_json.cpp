// SPDX-License-Identifier: MIT
#include "daemon/plan/op_json.hpp"

#include <nlohmann/json.hpp>

namespace wgd::plan {
namespace {

using Json = nlohmann::json;

// A file we wrote ourselves, but perhaps an older or newer version of us: everything read is checked, and a
// mismatch is this exception (nlohmann's own are its siblings), turned into an Error at the edge below.
struct BadOp : std::runtime_error {
    using std::runtime_error::runtime_error;
};

IpPrefix prefix_from(const Json& json) {
    const auto prefix = IpPrefix::parse(json.get_ref<const std::string&>());
    if (!prefix) throw BadOp("not a prefix: " + json.get<std::string>());
    return *prefix;
}

Backend backend_from(const Json& json) {
    const auto& text = json.get_ref<const std::string&>();
    if (text == to_string(Backend::kKernel)) return Backend::kKernel;
    if (text == to_string(Backend::kUserspace)) return Backend::kUserspace;
    throw BadOp("not a backend: " + text);
}

Json rule_json(const Rule& rule) {
    Json json{
        {"family", rule.family == Family::kIpv4 ? 4 : 6}, {"table", rule.table}, {"protocol", rule.protocol}};
    if (rule.priority) json["priority"] = *rule.priority;
    if (rule.fwmark) json["fwmark"] = *rule.fwmark;
    if (rule.invert) json["not"] = true;
    if (rule.suppress_prefixlength) json["suppress_prefixlength"] = *rule.suppress_prefixlength;
    return json;
}

template <class T>
std::optional<T> optional_from(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end()) return std::nullopt;
    return found->get<T>();
}

Rule rule_from(const Json& json) {
    Rule rule;
    const int family = json.at("family").get<int>();
    if (family != 4 && family != 6) throw BadOp("not a family");
    rule.family = family == 4 ? Family::kIpv4 : Family::kIpv6;
    rule.table = json.at("table").get<std::uint32_t>();
    rule.protocol = json.at("protocol").get<std::uint8_t>();
    rule.priority = optional_from<std::uint32_t>(json, "priority");
    rule.fwmark = optional_from<std::uint32_t>(json, "fwmark");
    rule.invert = json.value("not", false);
    rule.suppress_prefixlength = optional_from<std::uint32_t>(json, "suppress_prefixlength");
    return rule;
}

Json route_json(const Route& route) {
    Json json{{"destination", route.destination.to_string()},
              {"link", route.link},
              {"table", route.table},
              {"protocol", route.protocol},
              {"metric", route.metric}};
    if (route.type == RouteType::kThrow) json["throw"] = true;
    return json;
}

Route route_from(const Json& json) {
    Route route;
    route.destination = prefix_from(json.at("destination"));
    route.link = json.at("link").get<std::string>();
    route.table = json.at("table").get<std::uint32_t>();
    route.protocol = json.at("protocol").get<std::uint8_t>();
    route.metric = json.at("metric").get<std::uint32_t>();
    if (json.value("throw", false)) route.type = RouteType::kThrow;
    return route;
}

Json peer_json(const PeerDelta& peer) {
    Json json{{"public_key", peer.public_key.to_base64()}};
    if (peer.remove) json["remove"] = true;
    // A preshared key stays in memory. Without it a peer must not be created anew (it would be a weaker one).
    if (peer.update_only || peer.preshared_key) json["update_only"] = true;
    if (peer.endpoint) json["endpoint"] = peer.endpoint->to_string();
    if (peer.persistent_keepalive) json["persistent_keepalive"] = *peer.persistent_keepalive;
    if (peer.replace_allowed_ips) json["replace_allowed_ips"] = true;
    Json ips = Json::array();
    for (const AllowedIpDelta& ip : peer.allowed_ips)
        ips.push_back((ip.remove ? "-" : "") + ip.prefix.to_string());
    json["allowed_ips"] = std::move(ips);
    return json;
}

PeerDelta peer_from(const Json& json) {
    PeerDelta peer;
    const auto key = PublicKey::from_base64(json.at("public_key").get_ref<const std::string&>());
    if (!key) throw BadOp("not a public key");
    peer.public_key = *key;
    peer.remove = json.value("remove", false);
    peer.update_only = json.value("update_only", false);
    if (const auto text = optional_from<std::string>(json, "endpoint")) {
        peer.endpoint = Endpoint::parse(*text);
        if (!peer.endpoint) throw BadOp("not an endpoint: " + *text);
    }
    peer.persistent_keepalive = optional_from<std::uint16_t>(json, "persistent_keepalive");
    peer.replace_allowed_ips = json.value("replace_allowed_ips", false);
    for (const Json& item : json.at("allowed_ips")) {
        const auto& text = item.get_ref<const std::string&>();
        const bool remove = !text.empty() && text.front() == '-';
        peer.allowed_ips.push_back({prefix_from(remove ? Json(text.substr(1)) : item), remove});
    }
    return peer;
}

Json delta_json(const ConfigureDevice& op) {
    static const DeviceDelta kNothing;
    const DeviceDelta& delta = op.delta ? *op.delta : kNothing;
    Json json = Json::object();
    if (delta.listen_port) json["listen_port"] = *delta.listen_port;
    if (delta.fwmark) json["fwmark"] = *delta.fwmark;
    // replace_peers would remove the peers whose preshared keys we do not write.
    Json peers = Json::array();
    for (const PeerDelta& peer : delta.peers)
        peers.push_back(peer_json(peer));
    json["peers"] = std::move(peers);
    return json;
}

std::shared_ptr<const DeviceDelta> delta_from(const Json& json) {
    auto delta = std::make_shared<DeviceDelta>();
    delta->listen_port = optional_from<std::uint16_t>(json, "listen_port");
    delta->fwmark = optional_from<std::uint32_t>(json, "fwmark");
    for (const Json& peer : json.at("peers"))
        delta->peers.push_back(peer_from(peer));
    return delta;
}

Json dns_json(const DnsSettings& settings) {
    Json servers = Json::array();
    for (const IpAddress& server : settings.servers)
        servers.push_back(server.to_string());
    return {{"servers", std::move(servers)},
            {"search", settings.search},
            {"route_only", settings.route_only},
            {"exclusive", settings.exclusive}};
}

DnsSettings dns_from(const Json& json) {
    DnsSettings settings;
    for (const Json& item : json.at("servers")) {
        const auto server = IpAddress::parse(item.get_ref<const std::string&>());
        if (!server) throw BadOp("not an address: " + item.get<std::string>());
        settings.servers.push_back(*server);
    }
    settings.search = json.at("search").get<std::vector<std::string>>();
    settings.route_only = json.at("route_only").get<std::vector<std::string>>();
    settings.exclusive = json.at("exclusive").get<bool>();
    return settings;
}

DnsBackend dns_backend_from(const Json& json) {
    const auto backend = parse_dns_backend(json.get_ref<const std::string&>());
    if (!backend) throw BadOp("not a DNS back end: " + json.get<std::string>());
    return *backend;
}

struct ToJson {
    Json operator()(const CreateLink& op) const {
        return {{"op", "create_link"},
                {"link", op.name},
                {"backend", to_string(op.backend)},
                {"alias", op.alias}};
    }
    Json operator()(const DeleteLink& op) const {
        return {{"op", "delete_link"}, {"link", op.name}, {"backend", to_string(op.backend)}};
    }
    Json operator()(const ConfigureDevice& op) const {
        return {{"op", "configure_device"}, {"link", op.link}, {"delta", delta_json(op)}};
    }
    Json operator()(const AddAddress& op) const {
        return {{"op", "add_address"}, {"link", op.link}, {"address", op.address.to_string()}};
    }
    Json operator()(const RemoveAddress& op) const {
        return {{"op", "remove_address"}, {"link", op.link}, {"address", op.address.to_string()}};
    }
    Json operator()(const SetMtu& op) const {
        return {{"op", "set_mtu"}, {"link", op.link}, {"mtu", op.mtu}};
    }
    Json operator()(const SetLinkUp& op) const {
        return {{"op", "set_link_up"}, {"link", op.link}, {"up", op.up}};
    }
    Json operator()(const AddRule& op) const { return {{"op", "add_rule"}, {"rule", rule_json(op.rule)}}; }
    Json operator()(const RemoveRule& op) const {
        return {{"op", "remove_rule"}, {"rule", rule_json(op.rule)}};
    }
    Json operator()(const AddRoute& op) const {
        return {{"op", "add_route"}, {"route", route_json(op.route)}};
    }
    Json operator()(const RemoveRoute& op) const {
        return {{"op", "remove_route"}, {"route", route_json(op.route)}};
    }
    Json operator()(const SetSysctl& op) const {
        return {{"op", "set_sysctl"}, {"key", op.key}, {"value", op.value}};
    }
    Json operator()(const ReplaceTable& op) const {
        return {{"op", "replace_table"},
                {"name", op.name},
                {"digest", op.digest},
                {"transaction", op.transaction}};
    }
    Json operator()(const RunHook& op) const {
        return {{"op", "run_hook"},
                {"link", op.link},
                {"phase", op.phase},
                {"command", op.command},
                {"best_effort", op.best_effort},
                {"time_limit", op.time_limit}};
    }
    Json operator()(const CreateNamespace& op) const {
        return {{"op", "create_namespace"}, {"name", op.name}};
    }
    Json operator()(const RemoveNamespace& op) const {
        return {{"op", "remove_namespace"}, {"name", op.name}};
    }
    Json operator()(const MoveLink& op) const {
        return {{"op", "move_link"}, {"link", op.link}, {"netns", op.netns}};
    }
    Json operator()(const SetNamespaceDns& op) const {
        return {{"op", "set_namespace_dns"}, {"netns", op.netns}, {"text", op.text}};
    }
    Json operator()(const InNamespace& op) const {
        return {{"op", "in_namespace"},
                {"netns", op.netns},
                {"inner", op.box ? std::visit(ToJson{}, op.box->op) : Json()}};
    }
    Json operator()(const RemoveTable& op) const { return {{"op", "remove_table"}, {"name", op.name}}; }
    Json operator()(const SetDns& op) const {
        return {{"op", "set_dns"},
                {"link", op.link},
                {"dns", to_string(op.backend)},
                {"settings", dns_json(op.settings)},
                {"best_effort", op.best_effort}};
    }
    Json operator()(const ClearDns& op) const {
        return {{"op", "clear_dns"}, {"link", op.link}, {"dns", to_string(op.backend)}};
    }
};

Op op_from(const Json& json) {
    const auto& kind = json.at("op").get_ref<const std::string&>();
    const auto link = [&] { return json.at("link").get<std::string>(); };
    if (kind == "create_link")
        return CreateLink{link(), backend_from(json.at("backend")), json.at("alias").get<std::string>()};
    if (kind == "delete_link") return DeleteLink{link(), backend_from(json.at("backend"))};
    if (kind == "configure_device") return ConfigureDevice{link(), delta_from(json.at("delta"))};
    if (kind == "add_address") return AddAddress{link(), prefix_from(json.at("address"))};
    if (kind == "remove_address") return RemoveAddress{link(), prefix_from(json.at("address"))};
    if (kind == "set_mtu") return SetMtu{link(), json.at("mtu").get<std::uint32_t>()};
    if (kind == "set_link_up") return SetLinkUp{link(), json.at("up").get<bool>()};
    if (kind == "add_rule") return AddRule{rule_from(json.at("rule"))};
    if (kind == "remove_rule") return RemoveRule{rule_from(json.at("rule"))};
    if (kind == "add_route") return AddRoute{route_from(json.at("route"))};
    if (kind == "remove_route") return RemoveRoute{route_from(json.at("route"))};
    if (kind == "set_sysctl")
        return SetSysctl{json.at("key").get<std::string>(), json.at("value").get<std::string>()};
    if (kind == "replace_table")
        return ReplaceTable{json.at("name").get<std::string>(), json.at("digest").get<std::string>(),
                            json.at("transaction").get<std::string>()};
    if (kind == "remove_table") return RemoveTable{json.at("name").get<std::string>()};
    if (kind == "run_hook")
        return RunHook{link(), json.at("phase").get<std::string>(), json.at("command").get<std::string>(),
                       json.at("best_effort").get<bool>(), json.at("time_limit").get<std::uint32_t>()};
    if (kind == "set_dns")
        return SetDns{link(), dns_backend_from(json.at("dns")), dns_from(json.at("settings")),
                      json.at("best_effort").get<bool>()};
    if (kind == "clear_dns") return ClearDns{link(), dns_backend_from(json.at("dns"))};
    if (kind == "create_namespace") return CreateNamespace{json.at("name").get<std::string>()};
    if (kind == "remove_namespace") return RemoveNamespace{json.at("name").get<std::string>()};
    if (kind == "move_link") return MoveLink{link(), json.at("netns").get<std::string>()};
    if (kind == "set_namespace_dns")
        return SetNamespaceDns{json.at("netns").get<std::string>(), json.at("text").get<std::string>()};
    if (kind == "in_namespace") {
        const Json& inner = json.at("inner");
        if (inner.at("op") == "in_namespace") throw BadOp("a namespace within a namespace");
        return in_namespace(json.at("netns").get<std::string>(), op_from(inner));
    }
    throw BadOp("unknown op '" + kind + "'");
}

} // namespace

std::string ops_to_json(const std::vector<Op>& ops) {
    Json json = Json::array();
    for (const Op& op : ops)
        json.push_back(std::visit(ToJson{}, op));
    return json.dump();
}

Result<std::vector<Op>> ops_from_json(std::string_view text) {
    try {
        const Json json = Json::parse(text);
        if (!json.is_array()) return fail(ErrorCode::kParse, "undo log: not a list of operations");
        std::vector<Op> ops;
        for (const Json& item : json)
            ops.push_back(op_from(item));
        return ops;
    } catch (const std::exception& error) {
        return fail(ErrorCode::kParse, std::string("undo log: ") + error.what());
    }
}

} // namespace wgd::plan
