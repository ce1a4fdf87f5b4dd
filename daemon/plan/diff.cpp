// SPDX-License-Identifier: MIT
// The difference between what is wanted and what is, as steps with their undo.
//
// A new tunnel is: link, device, addresses, MTU, up, sysctls, routes, rules, DNS. The rules come late because
// they are the switch: a table that no rule names changes nothing, a rule into a filled table changes
// everything at once. Deleting a link takes its addresses and routes along, so the steps between have no undo
// of their own then.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "common/model/marks.hpp"
#include "daemon/plan/device_change.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/plan/forwarding.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::plan {
namespace {

constexpr std::uint8_t kKernelProtocol = 2; // RTPROT_KERNEL: comes and goes with an address

// The kernel's key of a unicast route: adding a second one fails with EEXIST.
using RouteKey = std::tuple<std::uint32_t, std::uint32_t, IpPrefix>; // table, metric, destination

RouteKey key_of(const Route& route) {
    return {route.table, route.effective_metric(), route.destination};
}

// fe80::/64 on a link is the kernel's own doing (RFC 4862 section 5.3).
bool is_automatic(const IpPrefix& address) {
    return address.family() == Family::kIpv6 && address.length() == 64 && address.address().is_link_local();
}

bool contains(const std::vector<IpPrefix>& addresses, const IpPrefix& address) {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

// Creates again what deleting the link took along.
std::vector<Op> recreate(const Desired& want, const Snapshot& have, const Link& link, Backend backend) {
    std::vector<Op> ops;
    ops.push_back(CreateLink{want.link, backend, link.alias});
    if (have.device)
        ops.push_back(
            ConfigureDevice{want.link, std::make_shared<const DeviceDelta>(whole_device(*have.device))});
    if (const auto addresses = have.addresses.find(want.link); addresses != have.addresses.end())
        for (const IpPrefix& address : addresses->second)
            if (!is_automatic(address)) ops.push_back(AddAddress{want.link, address});
    ops.push_back(SetMtu{want.link, link.mtu});
    if (link.up) ops.push_back(SetLinkUp{want.link, true});
    for (const Route& route : have.routes)
        if (route.link == want.link && route.protocol != kKernelProtocol) ops.push_back(AddRoute{route});
    return ops;
}

Backend backend_of(const Snapshot& have, const Link& link) {
    if (have.device_backend) return *have.device_backend;
    return link.kind == "wireguard" ? Backend::kKernel : Backend::kUserspace;
}

// Ops that are about namespaces are the daemon's own; everything else is done inside. A link is made outside,
// where its UDP socket is to be, and then moved.
std::vector<Op> moved_in(std::vector<Op> ops, const std::string& netns) {
    std::vector<Op> inside;
    for (Op& op : ops) {
        const bool about_namespaces =
            std::holds_alternative<CreateNamespace>(op) || std::holds_alternative<RemoveNamespace>(op) ||
            std::holds_alternative<MoveLink>(op) || std::holds_alternative<SetNamespaceDns>(op);
        if (const auto* create = std::get_if<CreateLink>(&op)) {
            const std::string link = create->name;
            inside.push_back(std::move(op));
            inside.push_back(MoveLink{link, netns});
        } else if (about_namespaces) {
            inside.push_back(std::move(op));
        } else {
            inside.push_back(in_namespace(netns, std::move(op)));
        }
    }
    return inside;
}

Plan enter_namespace(Plan plan, const std::string& netns) {
    if (netns.empty()) return plan;
    Plan inside;
    inside.warnings = std::move(plan.warnings);
    for (Step& step : plan.steps) {
        if (const auto* create = std::get_if<CreateLink>(&step.act)) {
            // Two steps: one that is cut short leaves the link on this side, or on the other.
            const DeleteLink gone{create->name, create->backend};
            const MoveLink move{create->name, netns};
            inside.steps.push_back({std::move(step.act), std::move(step.undo)});
            inside.steps.push_back({move, {in_namespace(netns, gone)}});
            continue;
        }
        std::vector<Op> act;
        act.push_back(std::move(step.act));
        inside.steps.push_back(
            {std::move(moved_in(std::move(act), netns).front()), moved_in(std::move(step.undo), netns)});
    }
    return inside;
}

class Differ {
  public:
    Differ(const Desired& want, const Snapshot& have)
        : want_(want)
        , have_(have) {
        const auto found = have.links.find(want.link);
        if (found != have.links.end()) link_ = &found->second;
    }

    Result<Plan> converge() {
        plan_.warnings = want_.warnings;
        if (link_ != nullptr && link_->alias != want_.alias)
            return fail(ErrorCode::kConflict, "the link '" + want_.link + "' is not ours");
        make_namespace();
        if (link_ == nullptr)
            step(CreateLink{want_.link, want_.backend, want_.alias}, {DeleteLink{want_.link, want_.backend}});
        if (fresh()) pre_up();
        WGD_TRY(device());
        add_tables(); // before an address is there to be reached, or a packet marked
        // IPv6 lives on links of 1280 and more only: a larger MTU comes before its addresses, a smaller one
        // after.
        const bool shrinks = !fresh() && want_.mtu < link_->mtu;
        if (!fresh() && !shrinks) mtu();
        add_addresses();
        if (fresh()) mtu();
        bring_up();
        sysctls();
        // The last IPv4 address takes the IPv4 routes along: then it goes first, and they come after it.
        if (loses_ipv4_addresses()) remove_addresses();
        WGD_TRY(add_routes());
        rules(want_.rules);
        remove_routes();
        if (!loses_ipv4_addresses()) remove_addresses();
        add_routes_after_addresses();
        if (shrinks) mtu();
        remove_tables();
        dns(); // last: its servers can be reached by now
        namespace_dns();
        if (fresh()) post_up();
        return enter_namespace(std::move(plan_), want_.netns);
    }

    Plan remove() {
        const bool exists = link_ != nullptr && link_->alias == want_.alias;
        // One that fails does not keep the tunnel up (compat.md D9): down is down.
        if (exists)
            for (Op& op : hooks("PreDown", want_.hooks.pre_down, true))
                step(std::move(op), {});
        dns();
        rules({});
        if (exists) {
            const Backend backend = backend_of(have_, *link_);
            step(DeleteLink{want_.link, backend}, recreate(want_, have_, *link_, backend));
        }
        remove_throws({}); // they hang on no link
        sysctls();
        remove_tables();
        if (have_.netns_dns.rfind(namespace_dns_mark(want_.link), 0) == 0) namespace_dns();
        for (Op& op : hooks("PostDown", want_.hooks.post_down, true))
            step(std::move(op), {});
        // If a later step fails and the tunnel stays, what the PreDowns took away comes back.
        if (exists && !want_.hooks.pre_down.empty())
            for (Op& op : hooks("PostUp", want_.hooks.post_up, true))
                plan_.steps[want_.hooks.pre_down.size()].undo.push_back(std::move(op));
        if (have_.netns == NamespaceState::kOurs)
            step(RemoveNamespace{want_.netns}, {CreateNamespace{want_.netns}, SetLinkUp{"lo", true}});
        return enter_namespace(std::move(plan_), want_.netns);
    }

  private:
    [[nodiscard]] bool fresh() const { return link_ == nullptr; }

    // A loopback link that is up is what programs expect, and nobody's harm: it stays up in a namespace that
    // stays.
    void make_namespace() {
        if (want_.netns.empty()) return;
        const bool missing = have_.netns == NamespaceState::kAbsent;
        if (missing) step(CreateNamespace{want_.netns}, {RemoveNamespace{want_.netns}});
        const auto lo = have_.links.find("lo");
        if (missing || (lo != have_.links.end() && !lo->second.up)) step(SetLinkUp{"lo", true}, {});
    }

    void namespace_dns() {
        if (want_.netns.empty() || have_.netns_dns == want_.netns_dns) return;
        if (!have_.netns_dns.empty() && have_.netns_dns.rfind(namespace_dns_mark(want_.link), 0) != 0) return;
        step(SetNamespaceDns{want_.netns, want_.netns_dns}, {SetNamespaceDns{want_.netns, have_.netns_dns}});
    }

    void step(Op act, std::vector<Op> undo) { plan_.steps.push_back({std::move(act), std::move(undo)}); }
    // A step on the link itself, undone with the link if that is new.
    void link_step(Op act, Op undo) {
        std::vector<Op> ops;
        if (!fresh()) ops.push_back(std::move(undo));
        step(std::move(act), std::move(ops));
    }

    Op configure(DeviceDelta&& delta) const {
        return ConfigureDevice{want_.link, std::make_shared<const DeviceDelta>(std::move(delta))};
    }

    Result<void> device() {
        if (fresh()) {
            DeviceDelta delta = whole_device(*want_.device);
            if (!delta.empty()) step(configure(std::move(delta)), {});
            return {};
        }
        if (!have_.device)
            return fail(ErrorCode::kBackend,
                        "the link '" + want_.link + "' exists, but its WireGuard device does not answer");
        DeviceChange change = want_.upkeep
                                  ? device_upkeep(*want_.device, *have_.device, want_.ignore_endpoints)
                                  : device_change(*want_.device, *have_.device, want_.ignore_endpoints);
        if (!change.apply.empty())
            step(configure(std::move(change.apply)), {configure(std::move(change.undo))});
        return {};
    }

    [[nodiscard]] std::vector<IpPrefix> current_addresses() const {
        const auto found = have_.addresses.find(want_.link);
        return fresh() || found == have_.addresses.end() ? std::vector<IpPrefix>{} : found->second;
    }

    void add_addresses() {
        const std::vector<IpPrefix> current = current_addresses();
        bool first_ipv4 = !fresh() && std::none_of(current.begin(), current.end(), is_ipv4);
        std::set<IpPrefix> new_subnets;
        for (const IpPrefix& address : want_.addresses) {
            if (std::find(current.begin(), current.end(), address) != current.end()) continue;
            const bool new_subnet = new_subnets.insert(address.network()).second;
            std::vector<Op> undo;
            if (!fresh()) undo.push_back(RemoveAddress{want_.link, address});
            if (is_ipv4(address) && std::exchange(first_ipv4, false)) append_ipv4_routes(undo);
            // A route of ours that the address's own makes superfluous cannot come back while that is there.
            for (const Route& route : have_.routes)
                if (!fresh() && new_subnet && is_ours(route) && shadowed_by(address, route))
                    undo.push_back(AddRoute{route});
            step(AddAddress{want_.link, address}, std::move(undo));
        }
    }

    // What the kernel takes along with the last IPv4 address of the link.
    void append_ipv4_routes(std::vector<Op>& ops) const {
        for (const Route& route : have_.routes)
            if (route.link == want_.link && is_ipv4(route.destination) && route.protocol != kKernelProtocol)
                ops.push_back(AddRoute{route});
    }

    static bool is_ipv4(const IpPrefix& address) { return address.family() == Family::kIpv4; }

    void remove_addresses() {
        const std::vector<IpPrefix> current = current_addresses();
        for (const IpPrefix& address : current) {
            if (is_automatic(address) || contains(want_.by_hooks.addresses, address) ||
                contains(want_.addresses, address))
                continue;
            if (address.family() == Family::kIpv4) {
                remove_ipv4(address, current);
            } else {
                step(RemoveAddress{want_.link, address}, {AddAddress{want_.link, address}});
            }
        }
    }

    // The first IPv4 address of a subnet takes the others of the subnet along when it goes, and the last one
    // of a link takes all its IPv4 routes along: for a full tunnel that would be a moment in clear. So the
    // kernel is told to promote the next address instead.
    void remove_ipv4(const IpPrefix& address, const std::vector<IpPrefix>& current) {
        const bool neighbours =
            std::any_of(want_.addresses.begin(), want_.addresses.end(),
                        [&](const IpPrefix& other) { return same_subnet(address, other); });
        const std::string key = promote_secondaries_key(want_.link);
        if (const auto promotes = have_.sysctls.find(key);
            neighbours && !promoting_ && promotes != have_.sysctls.end() && promotes->second != "1") {
            step(SetSysctl{key, "1"}, {SetSysctl{key, promotes->second}});
            promoting_ = true;
        }
        std::vector<Op> undo = restore_ipv4(current);
        if (loses_ipv4_addresses()) append_ipv4_routes(undo);
        step(RemoveAddress{want_.link, address}, std::move(undo));
    }

    // IPv4 addresses as they were, in their order too: the first is the one that packets are sent from. The
    // kernel keeps the first addresses of subnets in the order they came, and the further ones of each subnet
    // behind them. Never without an address in between (see above).
    [[nodiscard]] std::vector<Op> restore_ipv4(const std::vector<IpPrefix>& original) const {
        std::vector<IpPrefix> first, further;
        for (const IpPrefix& address : original) {
            if (address.family() != Family::kIpv4) continue;
            const bool is_first = std::none_of(first.begin(), first.end(), [&](const IpPrefix& other) {
                return same_subnet(address, other);
            });
            (is_first ? first : further).push_back(address);
        }
        std::vector<Op> undo;
        const auto add = [&](const IpPrefix& address) { undo.push_back(AddAddress{want_.link, address}); };
        const auto remove = [&](const IpPrefix& address) {
            undo.push_back(RemoveAddress{want_.link, address});
        };
        std::for_each(first.begin(), first.end(), add);
        for (const IpPrefix& address : want_.addresses)
            if (address.family() == Family::kIpv4 &&
                std::find(original.begin(), original.end(), address) == original.end())
                remove(address);
        std::for_each(further.begin(), further.end(), remove);
        if (first.size() > 1) {
            for (const IpPrefix& address : first) { // to the end of the list, one after the other
                remove(address);
                add(address);
            }
        }
        std::for_each(further.begin(), further.end(), add);
        return undo;
    }

    static bool same_subnet(const IpPrefix& a, const IpPrefix& b) {
        return a.family() == b.family() && a.length() == b.length() && a.network() == b.network();
    }

    // The link has IPv4 addresses and is to have none.
    [[nodiscard]] bool loses_ipv4_addresses() const {
        const std::vector<IpPrefix> current = current_addresses();
        return std::any_of(current.begin(), current.end(), is_ipv4) &&
               std::none_of(want_.addresses.begin(), want_.addresses.end(), is_ipv4);
    }

    void mtu() {
        if (fresh() || link_->mtu != want_.mtu)
            link_step(SetMtu{want_.link, want_.mtu}, SetMtu{want_.link, fresh() ? 0 : link_->mtu});
    }

    void bring_up() {
        if (fresh() || !link_->up) link_step(SetLinkUp{want_.link, true}, SetLinkUp{want_.link, false});
    }

    void sysctls() {
        std::map<std::string, std::string> have = have_.sysctls; // as the steps change it
        for (const auto& [key, value] : in_writing_order(want_.sysctls)) {
            const auto current = have.find(key);
            if (current == have.end()) {
                plan_.warnings.push_back("this system has no sysctl " + key);
            } else if (current->second == value) {
                continue;
            } else if (have_.sysctls_read_only.count(key) != 0) {
                plan_.warnings.push_back(key + " cannot be set to " + value +
                                         ", because /proc/sys is read-only here (a container?); it is " +
                                         current->second);
            } else {
                std::vector<Op> undo{SetSysctl{key, current->second}};
                current->second = value;
                turn_along(key, value, have, undo);
                step(SetSysctl{key, value}, std::move(undo));
            }
        }
    }

    // What a switch moves: what it will be, and how to take it back.
    static void turn_along(const std::string& key, const std::string& value,
                           std::map<std::string, std::string>& have, std::vector<Op>& undo) {
        const std::string before = std::get<SetSysctl>(undo.front()).value;
        for (auto& [moved, now] : have) {
            if (switch_that_moves(moved) != key) continue;
            if (value_after_switch(moved, before) != now) undo.push_back(SetSysctl{moved, now});
            now = value_after_switch(moved, value);
        }
    }

    // The kernel's route for an address that is on its way out.
    [[nodiscard]] bool goes_with_address(const Route& route) const {
        return route.link == want_.link && route.protocol == kKernelProtocol &&
               std::none_of(want_.addresses.begin(), want_.addresses.end(),
                            [&](const IpPrefix& address) { return address.network() == route.destination; });
    }

    Result<void> add_routes() {
        const bool ipv4_routes_go = loses_ipv4_addresses();
        std::map<RouteKey, const Route*> current;
        for (const Route& route : have_.routes)
            if (!(ipv4_routes_go && route.link == want_.link && is_ipv4(route.destination)))
                current.emplace(key_of(route), &route);
        for (const Route& route : want_.routes) {
            const auto found = current.find(key_of(route));
            if (found == current.end()) {
                if (route.type == RouteType::kThrow)
                    step(AddRoute{route}, {RemoveRoute{route}});
                else
                    link_step(AddRoute{route}, RemoveRoute{route});
            } else if (found->second->link != route.link) {
                return fail(ErrorCode::kConflict, "a route to " + route.destination.to_string() +
                                                      (found->second->type == RouteType::kThrow
                                                           ? " that throws"
                                                           : " through '" + found->second->link + "'") +
                                                      " is in the way (table " + std::to_string(route.table) +
                                                      "); it is left alone");
            } else if (goes_with_address(*found->second)) {
                after_addresses_.push_back(route); // until then there is no room for it
            }
        }
        return {};
    }

    void add_routes_after_addresses() {
        for (const Route& route : after_addresses_)
            link_step(AddRoute{route}, RemoveRoute{route});
    }

    [[nodiscard]] bool is_ours(const Route& route) const {
        return route.link == want_.link && route.protocol == kRouteProtocol;
    }

    // Ours by its protocol, and this tunnel's by its table, which it shares with nobody.
    [[nodiscard]] bool is_our_throw(const Route& route) const {
        return route.type == RouteType::kThrow && route.protocol == kRouteProtocol &&
               (route.table == want_.mark || route.table == want_.owned_mark);
    }

    void remove_throws(const std::map<RouteKey, bool>& wanted) {
        for (const Route& route : have_.routes)
            if (is_our_throw(route) && wanted.count(key_of(route)) == 0)
                step(RemoveRoute{route}, {AddRoute{route}});
    }

    // The kernel's route for the address has the same key as this one. (For IPv6 the metrics differ.)
    static bool shadowed_by(const IpPrefix& address, const Route& route) {
        return is_ipv4(address) && route.table == kMainTable && route.metric == 0 &&
               address.network() == route.destination;
    }

    void remove_routes() {
        std::map<RouteKey, bool> wanted;
        for (const Route& route : want_.routes)
            wanted.emplace(key_of(route), true);
        for (const Route& route : have_.routes) {
            if (!is_ours(route) || wanted.count(key_of(route)) != 0) continue;
            const bool shadowed =
                std::any_of(want_.addresses.begin(), want_.addresses.end(),
                            [&](const IpPrefix& address) { return shadowed_by(address, route); });
            std::vector<Op> undo; // if shadowed, with the undo of the address
            if (!shadowed) undo.push_back(AddRoute{route});
            step(RemoveRoute{route}, std::move(undo));
        }
        remove_throws(wanted);
    }

    void rules(const std::vector<Rule>& wanted) {
        const std::vector<Rule> current = rules_of_tunnel(have_, want_.mark, want_.owned_rules);
        const auto contains = [](const std::vector<Rule>& rules, const Rule& rule) {
            return std::find(rules.begin(), rules.end(), rule) != rules.end();
        };
        for (const Rule& rule : wanted)
            if (!contains(current, rule)) step(AddRule{rule}, {RemoveRule{rule}});
        for (const Rule& rule : current)
            if (!contains(wanted, rule)) step(RemoveRule{rule}, {AddRule{rule}});
    }

    [[nodiscard]] std::vector<Op> hooks(const std::string& phase, const std::vector<std::string>& commands,
                                        bool best_effort) const {
        std::vector<Op> ops;
        for (const std::string& command : commands)
            ops.push_back(RunHook{want_.link, phase, command, best_effort, want_.hook_time_limit});
        return ops;
    }

    // What a PreUp did is taken back by the PostDowns, what a PostUp did by the PreDowns; and by the
    // PostDowns, if no PreUp has them run already.
    void pre_up() {
        std::vector<Op> undo = hooks("PostDown", want_.hooks.post_down, true);
        for (Op& op : hooks("PreUp", want_.hooks.pre_up, false))
            step(std::move(op), std::exchange(undo, {}));
    }

    void post_up() {
        std::vector<Op> undo = hooks("PreDown", want_.hooks.pre_down, true);
        if (want_.hooks.pre_up.empty())
            for (Op& op : hooks("PostDown", want_.hooks.post_down, true))
                undo.push_back(std::move(op));
        for (Op& op : hooks("PostUp", want_.hooks.post_up, false))
            step(std::move(op), std::exchange(undo, {}));
    }

    // What another back end holds goes first: two of them may write the same file. Not tried again is what
    // failed, as long as nothing has changed.
    void dns() {
        for (const auto& [backend, applied] : have_.dns.applied) {
            if (want_.dns && want_.dns->backend == backend) continue;
            step(ClearDns{want_.link, backend}, {SetDns{want_.link, backend, applied.settings}});
        }
        if (!want_.dns) return;
        if (!fresh() && want_.dns->best_effort && !have_.dns.problem.empty()) return;
        const auto applied = have_.dns.applied.find(want_.dns->backend);
        if (applied == have_.dns.applied.end())
            step(*want_.dns, {ClearDns{want_.link, want_.dns->backend}});
        else if (!applied->second.intact || applied->second.settings != want_.dns->settings)
            step(*want_.dns, {SetDns{want_.link, want_.dns->backend, applied->second.settings}});
    }

    // Back to the rules that we last put there; nothing, if there were none.
    [[nodiscard]] Op former_table(const std::string& name) const {
        const auto applied = want_.applied_tables.find(name);
        const auto current = have_.tables.find(name);
        if (applied == want_.applied_tables.end() || current == have_.tables.end()) return RemoveTable{name};
        return ReplaceTable{name, current->second.digest, applied->second};
    }

    void add_tables() {
        for (const ReplaceTable& table : want_.tables) {
            const auto current = have_.tables.find(table.name);
            if (current == have_.tables.end() || current->second.digest != table.digest)
                step(table, {former_table(table.name)});
        }
    }

    void remove_tables() {
        const std::string name = tunnel_table_name(want_.link);
        if (have_.tables.count(name) == 0) return;
        for (const ReplaceTable& table : want_.tables)
            if (table.name == name) return;
        std::vector<Op> undo;
        if (want_.applied_tables.count(name) != 0) undo.push_back(former_table(name));
        step(RemoveTable{name}, std::move(undo));
    }

    const Desired& want_;
    const Snapshot& have_;
    const Link* link_ = nullptr;
    bool promoting_ = false;
    std::vector<Route> after_addresses_;
    Plan plan_;
};

} // namespace

std::string promote_secondaries_key(const std::string& link) {
    return "net/ipv4/conf/" + link + "/promote_secondaries";
}

Result<Plan> diff(const Desired& desired, const Snapshot& snapshot) {
    Differ differ(desired, snapshot);
    if (desired.present) return differ.converge();
    return differ.remove();
}

} // namespace wgd::plan
