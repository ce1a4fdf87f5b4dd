// SPDX-License-Identifier: MIT
// The difference between what is wanted and what is, as steps with their undo.
//
// A new tunnel is: link, device, addresses, MTU, up, sysctls, routes, rules. The rules come last because they
// are the switch: a table that no rule names changes nothing, a rule into a filled table changes everything
// at once. Deleting a link takes its addresses and routes along, so the steps between have no undo of their
// own then.
#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "common/model/marks.hpp"
#include "daemon/plan/device_change.hpp"
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
        if (link_ == nullptr)
            step(CreateLink{want_.link, want_.backend, want_.alias}, {DeleteLink{want_.link, want_.backend}});
        WGD_TRY(device());
        add_addresses();
        link_settings();
        sysctls();
        WGD_TRY(add_routes());
        rules(want_.rules);
        remove_routes();
        remove_addresses();
        return std::move(plan_);
    }

    Plan remove() {
        rules({});
        if (link_ != nullptr && link_->alias == want_.alias) {
            const Backend backend = backend_of(have_, *link_);
            step(DeleteLink{want_.link, backend}, recreate(want_, have_, *link_, backend));
        }
        sysctls();
        return std::move(plan_);
    }

  private:
    [[nodiscard]] bool fresh() const { return link_ == nullptr; }

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
        DeviceChange change = device_change(*want_.device, *have_.device, want_.ignore_endpoints);
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
        for (const IpPrefix& address : want_.addresses)
            if (std::find(current.begin(), current.end(), address) == current.end())
                link_step(AddAddress{want_.link, address}, RemoveAddress{want_.link, address});
    }

    void remove_addresses() {
        for (const IpPrefix& address : current_addresses()) {
            if (is_automatic(address)) continue;
            if (std::find(want_.addresses.begin(), want_.addresses.end(), address) != want_.addresses.end())
                continue;
            step(RemoveAddress{want_.link, address}, {AddAddress{want_.link, address}});
            // The kernel takes the other IPv4 addresses of the same subnet along when the first one goes
            // (ip-sysctl.rst, promote_secondaries): put back those that stay.
            if (address.family() != Family::kIpv4) continue;
            for (const IpPrefix& kept : want_.addresses)
                if (kept.length() == address.length() && kept.network() == address.network())
                    step(AddAddress{want_.link, kept}, {});
        }
    }

    void link_settings() {
        if (fresh() || link_->mtu != want_.mtu)
            link_step(SetMtu{want_.link, want_.mtu}, SetMtu{want_.link, fresh() ? 0 : link_->mtu});
        if (fresh() || !link_->up) link_step(SetLinkUp{want_.link, true}, SetLinkUp{want_.link, false});
    }

    void sysctls() {
        for (const auto& [key, value] : want_.sysctls) {
            const auto current = have_.sysctls.find(key);
            if (current == have_.sysctls.end()) {
                plan_.warnings.push_back("this system has no sysctl " + key);
            } else if (current->second != value) {
                step(SetSysctl{key, value}, {SetSysctl{key, current->second}});
            }
        }
    }

    Result<void> add_routes() {
        std::map<RouteKey, const Route*> current;
        for (const Route& route : have_.routes)
            current.emplace(key_of(route), &route);
        for (const Route& route : want_.routes) {
            const auto found = current.find(key_of(route));
            if (found == current.end()) {
                link_step(AddRoute{route}, RemoveRoute{route});
            } else if (found->second->link != route.link) {
                return fail(ErrorCode::kConflict, "a route to " + route.destination.to_string() +
                                                      " through '" + found->second->link +
                                                      "' is in the way (table " +
                                                      std::to_string(route.table) + "); it is left alone");
            }
        }
        return {};
    }

    void remove_routes() {
        std::map<RouteKey, bool> wanted;
        for (const Route& route : want_.routes)
            wanted.emplace(key_of(route), true);
        for (const Route& route : have_.routes)
            if (route.link == want_.link && route.protocol == kRouteProtocol &&
                wanted.count(key_of(route)) == 0)
                step(RemoveRoute{route}, {AddRoute{route}});
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

    const Desired& want_;
    const Snapshot& have_;
    const Link* link_ = nullptr;
    Plan plan_;
};

} // namespace

Result<Plan> diff(const Desired& desired, const Snapshot& snapshot) {
    Differ differ(desired, snapshot);
    if (desired.present) return differ.converge();
    return differ.remove();
}

} // namespace wgd::plan
