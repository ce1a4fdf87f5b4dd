// SPDX-License-Identifier: MIT
#include "daemon/control/tunnel.hpp"

#include <algorithm>

#include "common/base/log.hpp"
#include "common/model/marks.hpp"
#include "daemon/control/endpoint_choice.hpp"
#include "daemon/plan/device_change.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::control {

Tunnel::Tunnel(const Ports& ports, TunnelHost& host, ProfileName name, TunnelSettings settings)
    : ports_(ports)
    , host_(host)
    , name_(std::move(name))
    , settings_(settings)
    , applier_(ports.executor, ports.journal) {}

void Tunnel::enter(TunnelState state) {
    state_ = state;
    log::debug("{}: {}", name_.str(), to_string(state));
    host_.tunnel_changed(*this);
}

// The end of this object: nobody finds it any more once the host has forgotten it.
void Tunnel::vanish() {
    endpoints_.reset();
    paths_.reset();
    drift_timer_.reset();
    rebuild_timer_.reset();
    state_ = TunnelState::kDown;
    host_.tunnel_gone(*this);
}

// ---- looking and planning

Result<plan::Snapshot> Tunnel::look(const plan::ResolvedEndpoints& endpoints, bool device) {
    ports::SnapshotScope scope;
    scope.device = device;
    scope.link = name_.str();
    scope.netns = netns();
    for (const auto& [peer, endpoint] : endpoints)
        scope.endpoints.push_back(endpoint.address);
    scope.mark = record_.mark.value_or(0);
    scope.sysctls = {std::string(plan::kSrcValidMark)};
    scope.forwarding = settings_.gateway.forwards();
    scope.sysctls.emplace_back(plan::kArpIgnore);
    if (has_record_) scope.sysctls.push_back(plan::promote_secondaries_key(name_.str()));
    for (const auto& [key, value] : record_.original_sysctls)
        if (key != plan::kSrcValidMark && key != plan::kArpIgnore) scope.sysctls.push_back(key);
    auto snapshot = ports_.reader.read(scope);
    if (!snapshot) return snapshot;
    host_.add_reservations(name_, *snapshot);
    if (paths_) paths_->limit(*snapshot);
    return snapshot;
}

// A tunnel that is up stays where it is, whatever the settings have come to say.
const std::string& Tunnel::netns() const {
    return has_record_ ? record_.netns : settings_.netns;
}

plan::Policy Tunnel::policy() const {
    plan::Policy policy;
    policy.backend = record_.backend;
    policy.owned_mark = record_.mark;
    policy.owned_rules = record_.rules;
    policy.original_sysctls = record_.original_sysctls;
    for (const auto& [key, value] : record_.original_sysctls)
        if (host_.needs_sysctl(name_, key)) policy.sysctls_shared.insert(key);
    policy.applied_endpoints = record_.endpoints;
    policy.fwmark_given = record_.fwmark_given;
    policy.applied_tables = record_.tables;
    policy.applied_hooks = record_.hooks;
    policy.gateway = settings_.gateway;
    policy.exclude = settings_.exclude;
    policy.dns = settings_.dns;
    policy.mtu_probe = probes_paths();
    // One that is turned off stays closed until `down`, and the tunnel must go on passing it.
    policy.kill_switch = wanted_lock() != plan::LockMode::kOff || host_.kill_switch().holds(name_);
    policy.netns = netns();
    policy.allow_hooks = settings_.hooks;
    policy.by_hooks = record_.by_hooks;
    policy.hook_time_limit = static_cast<std::uint32_t>(settings_.hook_timeout.count());
    return policy;
}

Result<Tunnel::Prepared> Tunnel::prepare(bool upkeep) {
    const auto choose = [&] {
        return endpoints_
                   ? choose_endpoints(loaded_->profile, endpoints_->resolved(), endpoints_->moved(), record_)
                   : choose_endpoints(loaded_->profile, {}, {}, record_);
    };
    EndpointChoice chosen = choose();
    Instant began = ports_.timers.now();
    auto snapshot = look(chosen.endpoints);
    WGD_TRY(snapshot);
    if (endpoints_ && endpoints_->allow_ipv6(snapshot->ipv6_available)) {
        chosen = choose();
        began = ports_.timers.now();
        snapshot = look(chosen.endpoints);
        WGD_TRY(snapshot);
    }
    const Duration took = ports_.timers.now() - began;
    if (paths_ && upkeep) paths_->see(*snapshot, name_.str(), record_.mark.value_or(0));
    for (auto& [table, state] : snapshot->tables) {
        const auto made = table_contents_.find(table);
        if (made != table_contents_.end() && made->second != state.content) state.digest.clear(); // made over
    }
    plan::Policy policy = this->policy();
    const bool replaces_endpoints = !chosen.renewed.empty();
    policy.renewed_endpoints = std::move(chosen.renewed);
    auto desired = plan::derive_desired(loaded_->profile, chosen.endpoints, policy, *snapshot);
    WGD_TRY(desired);
    desired->upkeep = upkeep;
    // Without a path there is nothing to derive it from, and nothing that it could be wrong for.
    if (upkeep && !loaded_->profile.mtu && record_.mtu != 0 && snapshot->endpoint_paths.empty() &&
        !snapshot->default_path)
        desired->mtu = record_.mtu;
    auto steps = plan::diff(*desired, *snapshot);
    WGD_TRY(steps);

    Record record;
    record.backend = desired->backend;
    record.backend_reason = record_.backend_reason;
    record.mark = desired->mark;
    record.netns = desired->netns;
    record.rules = desired->rules;
    // Of the profile that it came up with: a reload runs no hook, so what those did is still to be undone.
    record.hooks = has_record_ ? record_.hooks : desired->hooks;
    record.by_hooks = record_.by_hooks;
    if (has_record_ && !(desired->hooks == record_.hooks))
        steps->warnings.emplace_back("the profile's PreUp, PostUp, PreDown and PostDown are others than it "
                                     "came up with; a reload runs "
                                     "none, and those it came up with are run when it goes down");
    for (const plan::ReplaceTable& table : desired->tables)
        record.tables.emplace(table.name, table.transaction);
    if (desired->dns) record.dns_backend = std::string(plan::to_string(desired->dns->backend));
    record.dns_reason = desired->dns_reason;
    record.endpoints = std::move(chosen.endpoints);
    record.endpoint_specs = std::move(chosen.specs);
    record.mtu = desired->mtu;
    if (paths_) record.path_mtus = paths_->limits();
    record.fwmark_given = loaded_->profile.fwmark.has_value();
    record.profile_digest = loaded_->digest;
    remember_sysctls(*desired, *snapshot, record);
    return Prepared{std::move(*desired),
                    std::move(*steps),
                    std::move(record),
                    {},
                    replaces_endpoints,
                    std::move(*snapshot),
                    took};
}

// What is to go back to its value of before the first tunnel of ours, and what that value was: known from
// before to this tunnel, else to another one, else as it is now.
void Tunnel::remember_sysctls(const plan::Desired& desired, const plan::Snapshot& snapshot,
                              Record& into) const {
    for (const std::string& key : desired.sysctls_needed) {
        auto original = host_.original_sysctl(name_, key);
        if (const auto mine = record_.original_sysctls.find(key); mine != record_.original_sysctls.end())
            original = mine->second;
        else if (const auto now = snapshot.sysctls.find(key); !original && now != snapshot.sysctls.end())
            original = now->second;
        if (original) into.original_sysctls.emplace(key, *original);
    }
    // What a switch moved along can only be seen by the tunnel that turned it; the others learn it from that.
    const auto take_over = [&](const std::map<std::string, std::string>& originals) {
        for (const auto& [key, value] : originals)
            if (const auto by = plan::switch_that_moves(key);
                !by.empty() && desired.sysctls_needed.count(std::string(by)) != 0)
                into.original_sysctls.emplace(key, value);
    };
    take_over(record_.original_sysctls);
    take_over(host_.original_sysctls(name_));
    for (const std::string& key : desired.sysctls_moved)
        into.original_sysctls.emplace(key, snapshot.sysctls.at(key));
}

// The second look: all steps said they worked, now the system must say so too. Reading a device of ten
// thousand peers takes longer than everything else of a reload: where it is known what it was, and that it
// took the change, it is not asked again.
Result<void> Tunnel::verify(const plan::Desired& desired, const std::set<std::string>& waiting,
                            KnownDevice known) {
    const Instant began = ports_.timers.now() - known.took;
    auto snapshot = look(record_.endpoints, !known.device);
    WGD_TRY(snapshot);
    if (known.device && snapshot->device_backend) snapshot->device = std::move(*known.device);
    take_reading(*snapshot, began);
    plan::Desired settled = desired;
    settled.ignore_endpoints = true;
    if (!has_record_ && desired.present) note_hooks(*snapshot, settled);
    settled.hooks = {}; // have run
    // DNS that somebody changed again in this very moment does not undo a tunnel: news of it comes by itself.
    if (settled.dns && settled.dns->best_effort)
        snapshot->dns.applied = {{settled.dns->backend, {settled.dns->settings, true}}};
    const auto rest = plan::diff(settled, *snapshot);
    WGD_TRY(rest);
    for (const plan::Step& step : rest->steps) {
        const std::string words = plan::describe(step.act);
        if (desired.upkeep && (!is_repair(step.act) || waiting.count(words) != 0)) continue;
        return fail(ErrorCode::kConflict,
                    "the system is not as asked for although every step succeeded; still missing: " + words);
    }
    table_contents_.clear();
    for (const plan::ReplaceTable& table : desired.tables)
        if (const auto made = snapshot->tables.find(table.name); made != snapshot->tables.end())
            table_contents_.emplace(table.name, made->second.content);
    return {};
}

// wg-quick(8) lets PreUp and PostUp do to the interface what they like: add an address, set the MTU, a peer's
// key. What keeps a tunnel's traffic in it (rules, routes, firewall, mark) has to be as the plan has it.
void Tunnel::note_hooks(const plan::Snapshot& snapshot, plan::Desired& settled) {
    if (settled.hooks.pre_up.empty() && settled.hooks.post_up.empty()) return;
    plan::LinkByHooks made;
    if (const auto there = snapshot.addresses.find(name_.str()); there != snapshot.addresses.end())
        for (const IpPrefix& address : there->second)
            if (std::find(settled.addresses.begin(), settled.addresses.end(), address) ==
                settled.addresses.end())
                made.addresses.push_back(address);
    if (const auto link = snapshot.links.find(name_.str());
        link != snapshot.links.end() && link->second.mtu != settled.mtu)
        settled.mtu = *(made.mtu = link->second.mtu);
    if (snapshot.device) made.peers = plan::guests_of(*settled.device, *snapshot.device);
    settled.by_hooks = made;
    settled.upkeep = true; // of the device the mark alone
    pending_->by_hooks = std::move(made);
}

bool Tunnel::keeps(const plan::Op& op) const {
    const auto* sysctl = std::get_if<plan::SetSysctl>(&op);
    return sysctl != nullptr && host_.needs_sysctl(name_, sysctl->key);
}

std::function<bool(const plan::Op&)> Tunnel::keeper() {
    return [this, weak = weak_from_this()](const plan::Op& op) { return !weak.expired() && keeps(op); };
}

Transaction Tunnel::transaction(plan::Plan plan, bool journalled,
                                std::function<Result<void>(Tunnel&)> commit) {
    Transaction transaction{name_, std::move(plan), journalled};
    transaction.keep = keeper();
    if (pending_) transaction.before = widen_lock(*pending_);
    transaction.commit = [weak = weak_from_this(), commit = std::move(commit)]() -> Result<void> {
        const auto self = weak.lock();
        if (!self) return fail(ErrorCode::kCancelled, "the daemon is stopping");
        return commit(*self);
    };
    return transaction;
}

bool Tunnel::has_link(const plan::Snapshot& snapshot) const {
    const auto link = snapshot.links.find(name_.str());
    return link != snapshot.links.end() && link->second.alias == std::string(kLinkAliasPrefix) + name_.str();
}

void Tunnel::watch_datapath() {
    if (record_.backend != plan::Backend::kUserspace) return;
    if (auto watched = ports_.monitor.watch_datapath(name_.str()); !watched)
        log::warning("{}: its datapath cannot be watched: {}", name_.str(), watched.error().message);
}

std::unique_ptr<EndpointWatch> Tunnel::make_endpoint_watch(const TunnelSettings& settings) {
    auto watch = std::make_unique<EndpointWatch>(ports_.resolver, ports_.timers, ports_.clock, settings);
    watch->set_path(lookup_path());
    return watch;
}

// Once the tunnel is up, or the kill switch closed, names are asked where its own datagrams go.
ports::LookupPath Tunnel::lookup_path() const {
    ports::LookupPath path;
    if (!loaded_ || (!has_record_ && !host_.kill_switch().holds(name_))) return path;
    path.mark = record_.mark.value_or(loaded_->profile.fwmark.value_or(0));
    path.avoid = host_.tunnel_name_servers();
    // A tunnel that is only planned is in no list.
    for (const IpAddress& server : name_servers())
        if (std::find(path.avoid.begin(), path.avoid.end(), server) == path.avoid.end())
            path.avoid.push_back(server);
    return path;
}

void Tunnel::look_after() {
    endpoints_ = make_endpoint_watch(settings_);
    endpoints_->start(loaded_->profile, endpoints_kept(loaded_->profile, record_), guarded([](Tunnel& self) {
                          self.watch_endpoints();
                          self.watch_paths();
                          self.reconcile();
                      }));
}

void Tunnel::watch_endpoints() {
    endpoints_->set_path(lookup_path());
    endpoints_->keep_watch({[weak = weak_from_this()]() -> Result<WgDevice> {
                                const auto self = weak.lock();
                                if (!self) return fail(ErrorCode::kCancelled, "the daemon is stopping");
                                return self->ports_.reader.read_device(self->name_.str(), self->netns());
                            },
                            guarded([](Tunnel& self) { self.reconcile(); }),
                            guarded([](Tunnel& self) { self.host_.tunnel_changed(self); }),
                            [weak = weak_from_this()](const Endpoint& endpoint) {
                                const auto self = weak.lock();
                                return !self || self->host_.kill_switch().passes(self->name_, endpoint);
                            }});
}

// A number in the profile is the last word.
bool Tunnel::probes_paths() const {
    return settings_.mtu_probe && !(loaded_ && loaded_->profile.mtu);
}

void Tunnel::watch_paths() {
    if (!probes_paths()) {
        if (paths_) look_soon(Duration::zero()); // what was measured no longer counts
        return paths_.reset();
    }
    if (!paths_)
        paths_ = std::make_unique<PathWatch>(ports_.paths, ports_.timers, record_.path_mtus,
                                             guarded([](Tunnel& self) {
                                                 self.host_.tunnel_changed(self);
                                                 self.look_soon(Duration::zero());
                                             }));
    look_soon(Duration::zero()); // the look shows the paths
}

// ---- what others must keep their hands off

std::vector<std::uint32_t> Tunnel::marks() const {
    std::vector<std::uint32_t> marks;
    if (record_.mark) marks.push_back(*record_.mark);
    if (pending_ && pending_->mark && pending_->mark != record_.mark) marks.push_back(*pending_->mark);
    return marks;
}

std::vector<plan::Rule> Tunnel::rules() const {
    std::vector<plan::Rule> rules = record_.rules;
    if (pending_)
        for (const plan::Rule& rule : pending_->rules)
            if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
    return rules;
}

std::optional<std::string> Tunnel::original_sysctl(const std::string& key) const {
    if (pending_)
        if (const auto found = pending_->original_sysctls.find(key);
            found != pending_->original_sysctls.end())
            return found->second;
    // Also while being removed: no longer needed then, but it is what the others go back to one day.
    if (const auto found = record_.original_sysctls.find(key); found != record_.original_sysctls.end())
        return found->second;
    return std::nullopt;
}

std::map<std::string, std::string> Tunnel::original_sysctls() const {
    std::map<std::string, std::string> originals;
    if (pending_) originals = pending_->original_sysctls;
    originals.insert(record_.original_sysctls.begin(), record_.original_sysctls.end());
    return originals;
}

bool Tunnel::needs_sysctl(const std::string& key) const {
    if (pending_ && pending_->original_sysctls.count(key) != 0) return true;
    return record_.intent != Record::Intent::kDown && record_.original_sysctls.count(key) != 0;
}

} // namespace wgd::control
