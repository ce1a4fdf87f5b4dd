// SPDX-License-Identifier: MIT
#include "tests/fakes/fake_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>

#include "common/model/limits.hpp"
#include "common/model/marks.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::fakes {

using namespace wgd::plan;

namespace {

constexpr std::uint8_t kKernelProtocol = 2;      // RTPROT_KERNEL
constexpr std::uint8_t kRouterAdvertisement = 9; // RTPROT_RA

Result<void> kernel_error(int err, const Op& op) {
    return fail_errno(ErrorCode::kKernel, err, describe(op));
}

bool same_key(const Route& a, const Route& b) {
    return a.table == b.table && a.destination == b.destination &&
           a.effective_metric() == b.effective_metric();
}

bool same_subnet(const IpPrefix& a, const IpPrefix& b) {
    return a.length() == b.length() && a.network() == b.network();
}

bool is_secondary(const std::vector<IpPrefix>& addresses, std::vector<IpPrefix>::const_iterator which) {
    return std::any_of(addresses.begin(), which,
                       [&](const IpPrefix& other) { return same_subnet(other, *which); });
}

Rule plain_rule(Family family, std::uint32_t priority, std::uint32_t table) {
    Rule rule;
    rule.family = family;
    rule.priority = priority;
    rule.table = table;
    rule.protocol = kKernelProtocol;
    return rule;
}

} // namespace

FakeKernel::FakeKernel(Faults& faults, Turns& turns)
    : faults_(faults)
    , turns_(turns) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        rules_.push_back(plain_rule(family, 0, 255));
        rules_.push_back(plain_rule(family, 32766, kMainTable));
    }
    rules_.push_back(plain_rule(Family::kIpv4, 32767, 253));
    sysctls_[std::string(kSrcValidMark)] = "0";
    sysctls_[std::string(kArpIgnore)] = "0";
    sysctls_[std::string(kForwardIpv4)] = "0";
    sysctls_[std::string(kForwardIpv6)] = "0";
    sysctls_[std::string(kAcceptRedirects)] = "1";
    add_link_sysctls("default");
}

void FakeKernel::add_link_sysctls(const std::string& link) {
    sysctls_["net/ipv4/conf/" + link + "/forwarding"] = sysctls_[std::string(kForwardIpv4)];
    sysctls_["net/ipv6/conf/" + link + "/forwarding"] = sysctls_[std::string(kForwardIpv6)];
    if (link != "default") sysctls_["net/ipv6/conf/" + link + "/accept_ra"] = "1";
}

// The switches of forwarding move other values, and drop what router advertisements brought.
void FakeKernel::turn_along(const std::string& key, const std::string& value) {
    for (auto& [moved, now] : sysctls_)
        if (switch_that_moves(moved) == key) now = value_after_switch(moved, value);
    if (key != kForwardIpv6 || value == "0") return;
    remove_routes([&](const Route& route) {
        return route.protocol == kRouterAdvertisement &&
               sysctls_["net/ipv6/conf/" + route.link + "/accept_ra"] != "2";
    });
}

Result<FakeKernel::FakeLink*> FakeKernel::find(const std::string& name) {
    const auto found = links_.find(name);
    if (found == links_.end()) return fail_errno(ErrorCode::kKernel, ENODEV, name);
    return &found->second;
}

// ---- connected routes

void FakeKernel::connect(const FakeLink& link, const IpPrefix& address) {
    if (!link.link.up) return;
    if (address.family() == Family::kIpv4 && address.is_host()) return;
    Route route{address.network(), link.link.name, kMainTable, kKernelProtocol,
                address.family() == Family::kIpv6 ? 256U : 0U};
    if (std::find(routes_.begin(), routes_.end(), route) == routes_.end()) routes_.push_back(route);
}

void FakeKernel::disconnect(const FakeLink& link, const IpPrefix& address) {
    for (const IpPrefix& other : link.addresses)
        if (other.network() == address.network()) return;
    routes_.erase(std::remove_if(routes_.begin(), routes_.end(),
                                 [&](const Route& route) {
                                     return route.link == link.link.name &&
                                            route.protocol == kKernelProtocol &&
                                            route.destination == address.network();
                                 }),
                  routes_.end());
}

void FakeKernel::remove_ipv6(FakeLink& link) {
    auto& addresses = link.addresses;
    addresses.erase(std::remove_if(addresses.begin(), addresses.end(),
                                   [](const IpPrefix& a) { return a.family() == Family::kIpv6; }),
                    addresses.end());
    routes_.erase(std::remove_if(routes_.begin(), routes_.end(),
                                 [&](const Route& route) {
                                     return route.link == link.link.name &&
                                            route.destination.family() == Family::kIpv6;
                                 }),
                  routes_.end());
}

void FakeKernel::bring(FakeLink& link, bool up) {
    if (link.link.up == up) return;
    link.link.up = up;
    if (!up) {
        remove_ipv6(link);
        routes_.erase(std::remove_if(routes_.begin(), routes_.end(),
                                     [&](const Route& route) { return route.link == link.link.name; }),
                      routes_.end());
        return;
    }
    for (const IpPrefix& address : link.addresses)
        connect(link, address);
    add_link_local(link);
    if (link.device && link.device->listen_port == 0)
        link.device->listen_port = static_cast<std::uint16_t>(40000 + link.link.index);
}

// The kernel's WireGuard has no automatic link-local address, a TUN device has.
void FakeKernel::add_link_local(FakeLink& link) {
    if (link.link.kind != "tun" || !ipv6_ || link.link.mtu < kMinIpv6Mtu) return;
    const IpPrefix address = *IpPrefix::parse("fe80::7d1:2b0a/64");
    link.addresses.push_back(address);
    connect(link, address);
}

void FakeKernel::remove_link(const std::string& name) {
    if (links_.count(name) == 0)
        for (auto& [netns, inside] : netns_)
            if (inside->has_link(name)) return inside->remove_link(name);
    dns.link_gone(name);
    links_.erase(name);
    sysctls_.erase(promote_secondaries_key(name));
    for (const char* family : {"ipv4", "ipv6"})
        sysctls_.erase(fmt::format("net/{}/conf/{}/forwarding", family, name));
    sysctls_.erase("net/ipv6/conf/" + name + "/accept_ra");
    watched_.erase(name);
    routes_.erase(std::remove_if(routes_.begin(), routes_.end(),
                                 [&](const Route& route) { return route.link == name; }),
                  routes_.end());
}

// First addresses of subnets in the order they came, the further ones of each subnet behind all of them.
void FakeKernel::insert_address(FakeLink& link, const IpPrefix& address) {
    auto& addresses = link.addresses;
    const auto shares = [&](const IpPrefix& other) { return same_subnet(other, address); };
    if (address.family() == Family::kIpv6 || std::any_of(addresses.begin(), addresses.end(), shares)) {
        addresses.push_back(address);
        return;
    }
    auto at = addresses.begin();
    for (auto it = addresses.begin(); it != addresses.end(); ++it)
        if (it->family() == Family::kIpv4 && !is_secondary(addresses, it)) at = std::next(it);
    addresses.insert(at, address);
}

void FakeKernel::remove_routes(const std::function<bool(const Route&)>& match) {
    routes_.erase(std::remove_if(routes_.begin(), routes_.end(), match), routes_.end());
}

// ---- operations

struct FakeKernel::Apply {
    FakeKernel& world;
    const Op& whole;

    Result<void> operator()(const CreateLink& op) const {
        const auto found = world.links_.find(op.name);
        if (found != world.links_.end()) {
            if (found->second.link.alias == op.alias && found->second.backend == op.backend) return {};
            return kernel_error(EEXIST, whole);
        }
        FakeLink link;
        link.link.name = op.name;
        link.link.index = world.next_index_++;
        link.link.kind = op.backend == Backend::kKernel ? "wireguard" : "tun";
        link.link.alias = op.alias;
        link.link.mtu = kDefaultMtu;
        link.backend = op.backend;
        link.device.emplace();
        link.device->name = op.name;
        world.links_.emplace(op.name, std::move(link));
        world.sysctls_[promote_secondaries_key(op.name)] = "0";
        world.add_link_sysctls(op.name);
        return {};
    }
    Result<void> operator()(const DeleteLink& op) const {
        const auto found = world.links_.find(op.name);
        if (found == world.links_.end()) return {};
        if (found->second.link.alias.rfind(kLinkAliasPrefix, 0) != 0)
            return fail(ErrorCode::kConflict, op.name + " is not ours to delete");
        world.remove_link(op.name);
        return {};
    }
    Result<void> operator()(const ConfigureDevice& op) const {
        const auto link = world.find(op.link);
        WGD_TRY(link);
        if (!(*link)->device) return kernel_error(EOPNOTSUPP, whole);
        wgd::apply(*(*link)->device, *op.delta);
        return {};
    }
    Result<void> operator()(const AddAddress& op) const {
        const auto link = world.find(op.link);
        WGD_TRY(link);
        auto& addresses = (*link)->addresses;
        if (std::find(addresses.begin(), addresses.end(), op.address) != addresses.end()) return {};
        if (op.address.family() == Family::kIpv6) {
            if (!world.ipv6_) return kernel_error(EACCES, whole);
            if ((*link)->link.mtu < kMinIpv6Mtu) return kernel_error(EINVAL, whole);
        }
        world.insert_address(**link, op.address);
        world.connect(**link, op.address);
        return {};
    }
    Result<void> operator()(const RemoveAddress& op) const {
        const auto link = world.find(op.link);
        WGD_TRY(link);
        auto& addresses = (*link)->addresses;
        const auto found = std::find(addresses.begin(), addresses.end(), op.address);
        if (found == addresses.end()) return {};
        const bool promote = world.sysctls_[promote_secondaries_key(op.link)] == "1";
        const bool first = !is_secondary(addresses, found);
        addresses.erase(found);
        const auto next = std::find_if(addresses.begin(), addresses.end(),
                                       [&](const IpPrefix& other) { return same_subnet(other, op.address); });
        if (first && next != addresses.end() && op.address.family() == Family::kIpv4) {
            const IpPrefix promoted = *next;
            if (promote) {
                addresses.erase(next);
                world.insert_address(**link, promoted);
            } else {
                addresses.erase(
                    std::remove_if(addresses.begin(), addresses.end(),
                                   [&](const IpPrefix& other) { return same_subnet(other, op.address); }),
                    addresses.end());
            }
        }
        if (std::none_of(addresses.begin(), addresses.end(),
                         [](const IpPrefix& a) { return a.family() == Family::kIpv4; }) &&
            op.address.family() == Family::kIpv4) {
            world.remove_routes([&](const Route& route) {
                return route.link == op.link && route.destination.family() == Family::kIpv4;
            });
        }
        world.disconnect(**link, op.address);
        return {};
    }
    Result<void> operator()(const SetMtu& op) const {
        const auto link = world.find(op.link);
        WGD_TRY(link);
        if (op.mtu < 68 || op.mtu > kMaxMtu) return kernel_error(EINVAL, whole);
        const bool ipv6_returns = (*link)->link.mtu < kMinIpv6Mtu && op.mtu >= kMinIpv6Mtu;
        (*link)->link.mtu = op.mtu;
        if (op.mtu < kMinIpv6Mtu) world.remove_ipv6(**link);
        if (ipv6_returns && (*link)->link.up) world.add_link_local(**link);
        return {};
    }
    Result<void> operator()(const SetLinkUp& op) const {
        const auto link = world.find(op.link);
        WGD_TRY(link);
        world.bring(**link, op.up);
        return {};
    }
    Result<void> operator()(const AddRule& op) const {
        Rule rule = op.rule;
        if (rule.family == Family::kIpv6 && !world.ipv6_) return kernel_error(EAFNOSUPPORT, whole);
        if (!rule.priority) {
            std::uint32_t lowest = 32767;
            for (const Rule& other : world.rules_)
                if (other.family == rule.family && other.priority.value_or(0) != 0)
                    lowest = std::min(lowest, *other.priority);
            rule.priority = lowest - 1;
        }
        if (std::find(world.rules_.begin(), world.rules_.end(), rule) != world.rules_.end()) return {};
        const auto before = std::find_if(world.rules_.begin(), world.rules_.end(), [&](const Rule& other) {
            return std::pair(other.family, *other.priority) > std::pair(rule.family, *rule.priority);
        });
        world.rules_.insert(before, rule);
        return {};
    }
    Result<void> operator()(const RemoveRule& op) const {
        const auto found = std::find_if(world.rules_.begin(), world.rules_.end(), [&](const Rule& rule) {
            return rule.same_effect(op.rule) && rule.protocol == op.rule.protocol &&
                   (!op.rule.priority || op.rule.priority == rule.priority);
        });
        if (found != world.rules_.end()) world.rules_.erase(found);
        return {};
    }
    Result<void> operator()(const AddRoute& op) const {
        const bool ipv6 = op.route.destination.family() == Family::kIpv6;
        if (op.route.type == RouteType::kThrow) {
            if (ipv6 && !world.ipv6_) return kernel_error(EINVAL, whole);
        } else {
            const auto link = world.find(op.route.link);
            WGD_TRY(link);
            if (!(*link)->link.up) return kernel_error(ENETDOWN, whole);
            if (ipv6 && (!world.ipv6_ || (*link)->link.mtu < kMinIpv6Mtu)) return kernel_error(EINVAL, whole);
        }
        for (const Route& route : world.routes_) {
            if (!same_key(route, op.route)) continue;
            if (route.link == op.route.link && route.protocol == op.route.protocol) return {};
            return kernel_error(EEXIST, whole);
        }
        Route added = op.route;
        added.metric = added.effective_metric();
        world.routes_.push_back(added);
        return {};
    }
    Result<void> operator()(const RemoveRoute& op) const {
        const auto found = std::find_if(world.routes_.begin(), world.routes_.end(), [&](const Route& route) {
            return same_key(route, op.route) && route.link == op.route.link &&
                   route.protocol == op.route.protocol;
        });
        if (found != world.routes_.end()) world.routes_.erase(found);
        return {};
    }
    Result<void> operator()(const ReplaceTable& op) const {
        if (!world.nftables_problem_.empty()) return kernel_error(EOPNOTSUPP, whole);
        world.tables_[op.name] = op;
        return {};
    }
    Result<void> operator()(const RemoveTable& op) const {
        if (!world.nftables_problem_.empty()) return kernel_error(EOPNOTSUPP, whole);
        world.tables_.erase(op.name);
        return {};
    }
    Result<void> operator()(const SetDns& op) const { return world.dns.set(op); }
    Result<void> operator()(const ClearDns& op) const { return world.dns.clear(op); }
    // A shell in which "make X" and "drop X" have an effect and "false" fails.
    Result<void> operator()(const CreateNamespace& op) const { return world.change_netns(op); }
    Result<void> operator()(const RemoveNamespace& op) const { return world.change_netns(op); }
    Result<void> operator()(const MoveLink& op) const { return world.change_netns(op); }
    Result<void> operator()(const SetNamespaceDns& op) const { return world.change_netns(op); }
    Result<void> operator()(const InNamespace& op) const { return world.change_netns(op); }
    Result<void> operator()(const RunHook& op) const {
        world.hooks_run_.push_back(op.phase + ": " + op.command);
        if (op.command.rfind("make ", 0) == 0)
            world.made_.insert(op.command.substr(5));
        else if (op.command.rfind("drop ", 0) == 0)
            world.made_.erase(op.command.substr(5));
        else if (op.command.rfind("address ", 0) == 0)
            return (*this)(AddAddress{op.link, IpPrefix::parse(op.command.substr(8)).value()});
        else if (op.command.rfind("mtu ", 0) == 0)
            return (*this)(SetMtu{op.link, static_cast<std::uint32_t>(std::stoul(op.command.substr(4)))});
        else if (op.command.rfind("peer ", 0) == 0) { // somebody new
            DeviceDelta delta;
            delta.peers.emplace_back().public_key = PublicKey::from_base64(op.command.substr(5)).value();
            return (*this)(ConfigureDevice{op.link, std::make_shared<const DeviceDelta>(std::move(delta))});
        } else if (op.command.rfind("psk ", 0) == 0) { // of the first peer
            world.links_.at(op.link).device->peers.at(0).preshared_key =
                PresharedKey::from_base64(op.command.substr(4)).value();
        } else if (op.command == "false" && !op.best_effort)
            return fail(ErrorCode::kBackend, op.phase + " of " + op.link + ": exit status 1");
        return {};
    }
    Result<void> operator()(const SetSysctl& op) const {
        const auto found = world.sysctls_.find(op.key);
        if (found == world.sysctls_.end()) return kernel_error(ENOENT, whole);
        if (world.read_only_sysctls_.count(op.key) != 0) return kernel_error(EROFS, whole);
        if (found->second != op.value) world.turn_along(op.key, op.value);
        found->second = op.value;
        return {};
    }
};

Result<void> FakeKernel::apply(const Op& op) {
    return std::visit(Apply{*this, op}, op);
}

void FakeKernel::perform(const Op& op, ports::Done done) {
    auto result = faults_.around(describe(op), [&] { return apply(op); });
    if (faults_.dead()) return;
    // The failure of such an op is never seen. Which half of its effect it had is not ours to say: all of
    // it.
    const auto* hook = std::get_if<RunHook>(&op);
    const auto* set_dns = std::get_if<SetDns>(&op);
    if (!result && ((hook && hook->best_effort) || (set_dns && set_dns->best_effort))) result = apply(op);
    turns_.complete([done = std::move(done), result = std::move(result)] { done(result); });
}

// ---- reading

std::optional<EndpointPath> FakeKernel::path_to(const IpAddress& address, const std::string& except) const {
    const Route* best = nullptr;
    for (const Route& route : routes_) {
        if (route.type != RouteType::kUnicast) continue;
        if (route.table != kMainTable || route.link == except || !route.destination.contains(address))
            continue;
        if (route.destination.family() != address.family()) continue;
        if (best == nullptr || route.destination.length() > best->destination.length()) best = &route;
    }
    if (best == nullptr) return std::nullopt;
    return EndpointPath{address, best->link, links_.at(best->link).link.mtu};
}

Result<Snapshot> FakeKernel::read(const ports::SnapshotScope& scope) {
    if (faults_.dead()) return fail(ErrorCode::kInternal, "the daemon is dead");
    if (!scope.netns.empty()) return read_inside(scope);
    Snapshot snapshot;
    for (const auto& [name, link] : links_) {
        snapshot.links[name] = link.link;
        snapshot.addresses[name] = link.addresses;
        if (!link.device || name == scope.link) continue;
        if (link.device->fwmark != 0) snapshot.marks_in_use.insert(link.device->fwmark);
        if (link.device->listen_port != 0) snapshot.listen_ports.insert(link.device->listen_port);
    }
    snapshot.rules = rules_;
    snapshot.routes = routes_;
    if (const auto found = links_.find(scope.link); found != links_.end() && found->second.device) {
        snapshot.device_backend = found->second.backend;
        if (scope.device) {
            auto device = read_device(scope.link);
            WGD_TRY(device);
            snapshot.device = std::move(*device);
        }
    }
    for (const IpAddress& endpoint : scope.endpoints)
        if (const auto path = path_to(endpoint, scope.link)) snapshot.endpoint_paths.push_back(*path);
    snapshot.default_path = path_to(IpAddress::v4({192, 0, 2, 1}), scope.link);
    if (!snapshot.default_path) snapshot.default_path = path_to(*IpAddress::parse("2001:db8::1"), scope.link);
    std::vector<std::string> keys = scope.sysctls;
    if (scope.forwarding) {
        std::vector<std::string> names;
        for (const auto& [name, link] : links_)
            names.push_back(name);
        for (std::string& key : forwarding_keys(names))
            keys.push_back(std::move(key));
        snapshot.forward_barriers = barriers_;
    }
    snapshot.sysctls_read_only = read_only_sysctls_;
    for (const std::string& key : keys)
        if (const auto found = sysctls_.find(key); found != sysctls_.end())
            snapshot.sysctls[key] = found->second;
    snapshot.table_names = table_names_;
    snapshot.ipv6_available = ipv6_;
    snapshot.dns = dns.view(scope.link);
    snapshot.nftables_problem = nftables_problem_;
    if (auto tables = read_tables()) snapshot.tables = std::move(*tables);
    return snapshot;
}

Result<std::map<std::string, TableState>> FakeKernel::read_tables() {
    if (!nftables_problem_.empty()) return fail(ErrorCode::kUnsupported, nftables_problem_);
    std::map<std::string, TableState> tables;
    for (const auto& [name, table] : tables_)
        tables.emplace(name, TableState{table.digest, std::hash<std::string>{}(table.transaction)});
    return tables;
}

Result<WgDevice> FakeKernel::read_device(const std::string& name, const std::string& netns_name) {
    if (!netns_name.empty()) {
        FakeKernel* inside = netns(netns_name);
        if (inside == nullptr) return fail_errno(ErrorCode::kKernel, ENOENT, netns_name);
        return inside->read_device(name);
    }
    const auto found = links_.find(name);
    if (found == links_.end() || !found->second.device) return fail_errno(ErrorCode::kKernel, ENODEV, name);
    if (on_device_read) on_device_read();
    const WgDevice& from = *found->second.device;
    WgDevice device;
    device.name = from.name;
    device.ifindex = found->second.link.index;
    device.private_key = from.private_key.clone();
    device.public_key = from.public_key;
    device.listen_port = from.listen_port;
    device.fwmark = from.fwmark;
    for (const WgPeer& peer : from.peers) {
        WgPeer& copy = device.peers.emplace_back();
        copy.public_key = peer.public_key;
        copy.preshared_key = peer.preshared_key.clone();
        copy.endpoint = peer.endpoint;
        copy.persistent_keepalive = peer.persistent_keepalive;
        copy.latest_handshake = peer.latest_handshake;
        copy.rx_bytes = peer.rx_bytes;
        copy.tx_bytes = peer.tx_bytes;
        copy.allowed_ips = peer.allowed_ips;
    }
    return device;
}

Result<ports::LinkReading> FakeKernel::read_link(const std::string& name, const std::string& netns_name) {
    if (!netns_name.empty()) {
        FakeKernel* inside = netns(netns_name);
        if (inside == nullptr) return fail_errno(ErrorCode::kKernel, ENOENT, netns_name);
        return inside->read_link(name);
    }
    auto device = read_device(name);
    WGD_TRY(device);
    const FakeLink& link = links_.at(name);
    return ports::LinkReading{link.link, link.addresses, std::move(*device), dns.view(name).problem};
}

// ---- somebody else's doing

Result<void> FakeKernel::watch_datapath(const std::string& link) {
    if (!has_link(link) && std::none_of(netns_.begin(), netns_.end(),
                                        [&](const auto& entry) { return entry.second->has_link(link); }))
        return fail(ErrorCode::kNotFound, "no datapath for " + link);
    watched_.insert(link);
    return {};
}

void FakeKernel::add_link(const std::string& name, std::uint32_t mtu, const std::string& kind) {
    FakeLink link;
    link.link = {name, next_index_++, kind, "", mtu, true};
    if (kind == "wireguard") link.device.emplace().name = name;
    add_link_sysctls(name);
    links_.emplace(name, std::move(link));
}

void FakeKernel::add_address(const std::string& link, const std::string& prefix) {
    (void)apply(AddAddress{link, *IpPrefix::parse(prefix)});
}

void FakeKernel::add_route(const std::string& prefix, const std::string& link, std::uint32_t table,
                           std::uint32_t metric) {
    (void)apply(AddRoute{Route{*IpPrefix::parse(prefix), link, table, 4 /* RTPROT_STATIC */, metric}});
}

void FakeKernel::add_advertised_default(const std::string& link) {
    routes_.push_back({*IpPrefix::parse("::/0"), link, kMainTable, kRouterAdvertisement, 1024});
}

void FakeKernel::add_rule(const Rule& rule) {
    (void)apply(AddRule{rule});
}

bool FakeKernel::remove_rule(const Rule& rule) {
    const auto found = std::find(rules_.begin(), rules_.end(), rule);
    if (found == rules_.end()) return false;
    rules_.erase(found);
    return true;
}

void FakeKernel::delete_link(const std::string& name) {
    remove_link(name);
    if (observer_ != nullptr && !faults_.dead()) observer_->on_link_gone(name);
}

void FakeKernel::kill_datapath(const std::string& name, const std::string& how) {
    const bool seen = watched(name);
    remove_link(name); // a TUN device without its process is gone
    if (observer_ == nullptr || faults_.dead()) return;
    if (seen) observer_->on_datapath_exit(name, how);
    if (observer_ != nullptr) observer_->on_link_gone(name);
}

WgDevice* FakeKernel::device(const std::string& link) {
    const auto found = links_.find(link);
    return found == links_.end() || !found->second.device ? nullptr : &*found->second.device;
}

std::string FakeKernel::dump() const {
    std::string text;
    for (const auto& [name, link] : links_) {
        text += fmt::format("link {} kind '{}' alias '{}' mtu {} {}\n", name, link.link.kind, link.link.alias,
                            link.link.mtu, link.link.up ? "up" : "down");
        // The order of IPv4 addresses says which is the first of its subnet; that of IPv6 says nothing.
        std::vector<IpPrefix> addresses = link.addresses;
        const auto ipv6 = std::stable_partition(addresses.begin(), addresses.end(), [](const IpPrefix& a) {
            return a.family() == Family::kIpv4;
        });
        std::sort(ipv6, addresses.end());
        for (const IpPrefix& address : addresses)
            text += "  address " + address.to_string() + "\n";
        if (!link.device) continue;
        text += fmt::format("  key {} port {} mark {}\n", link.device->private_key.reveal_base64(),
                            link.device->listen_port, link.device->fwmark);
        std::vector<std::string> peers; // by key: a peer removed and put back is last in the list
        for (const WgPeer& peer : link.device->peers) {
            std::string line =
                fmt::format("  peer {} psk {} endpoint {} keepalive {} ips", peer.public_key.to_base64(),
                            peer.preshared_key.reveal_base64(),
                            peer.endpoint ? peer.endpoint->to_string() : "-", peer.persistent_keepalive);
            std::vector<IpPrefix> ips = peer.allowed_ips;
            std::sort(ips.begin(), ips.end());
            for (const IpPrefix& ip : ips)
                line += " " + ip.to_string();
            peers.push_back(line + "\n");
        }
        std::sort(peers.begin(), peers.end());
        for (const std::string& line : peers)
            text += line;
    }
    for (const Rule& rule : rules_)
        text += describe(AddRule{rule}) + "\n";
    std::vector<std::string> routes;
    for (const Route& route : routes_)
        routes.push_back(describe(AddRoute{route}) + "\n");
    std::sort(routes.begin(), routes.end());
    for (const std::string& line : routes)
        text += line;
    for (const auto& [key, value] : sysctls_)
        text += key + " = " + value + "\n";
    for (const auto& [name, table] : tables_)
        text += table.transaction;
    text += dns.dump();
    for (const std::string& made : made_)
        text += "made " + made + "\n";
    for (const auto& [name, inside] : netns_)
        text += "namespace " + name + " {\n" + inside->dump() + "}\n";
    for (const auto& [name, resolv_conf] : netns_dns_)
        text += "resolv.conf of " + name + ": " + resolv_conf;
    return text;
}

} // namespace wgd::fakes
