// SPDX-License-Identifier: MIT
#include "daemon/control/tunnel_manager.hpp"

#include <algorithm>
#include <set>

#include "common/base/log.hpp"
#include "common/config/parser.hpp"

namespace wgd::control {
TunnelManager::TunnelManager(const Ports& ports, Settings settings)
    : ports_(ports)
    , settings_(std::move(settings))
    , kill_switch_(ports.reader, ports.executor, ports.journal) {
    ports_.monitor.set_observer(this);
    // It is everybody's whom it protects, and without a limit: open, it would be none.
    kill_switch_.on_repair([this](const std::string& what) {
        for (const auto& [name, tunnel] : tunnels_)
            if (kill_switch_.holds(name)) tunnel->note_lock_repaired(what);
    });
}

TunnelManager::~TunnelManager() {
    ports_.monitor.set_observer(nullptr);
}

void TunnelManager::set_settings(Settings settings) {
    settings_ = std::move(settings);
    const bool turned_on =
        settings_.lockdown != plan::LockMode::kOff && kill_switch_.lockdown() == plan::LockMode::kOff;
    if (turned_on)
        for (const auto& [name, tunnel] : tunnels_)
            tunnel->hold_lock();
    kill_switch_.set_lockdown(settings_.lockdown, [this](const Result<void>& set) {
        if (!set) return log::error("lockdown is not set: {}", set.error().message);
        if (observer_ != nullptr) observer_->on_lockdown_changed();
    });
}

// ---- finding things

Result<LoadedProfile> TunnelManager::load(const ProfileName& name) {
    auto stored = ports_.profiles.read(name);
    WGD_TRY(stored);
    ParseOutcome outcome = parse(stored->text, name);
    if (!outcome.profile) {
        std::string findings = format(outcome.diagnostics, stored->path);
        while (!findings.empty() && findings.back() == '\n')
            findings.pop_back();
        return fail(ErrorCode::kParse, std::move(findings));
    }
    LoadedProfile loaded{std::move(*outcome.profile), profile_digest(stored->text),
                         std::move(stored->warnings)};
    for (const Diagnostic& finding : outcome.diagnostics)
        loaded.warnings.push_back(format(finding, stored->path));
    return loaded;
}

std::shared_ptr<Tunnel> TunnelManager::find(const ProfileName& name) const {
    const auto found = tunnels_.find(name);
    return found == tunnels_.end() ? nullptr : found->second;
}

std::shared_ptr<Tunnel> TunnelManager::find_link(const std::string& link) const {
    const auto name = ProfileName::parse(link);
    return name ? find(*name) : nullptr;
}

std::shared_ptr<Tunnel> TunnelManager::make(const ProfileName& name) {
    auto tunnel = std::make_shared<Tunnel>(ports_, static_cast<TunnelHost&>(*this), name, settings_.of(name));
    tunnels_[name] = tunnel;
    if (observer_ != nullptr) observer_->on_tunnel_added(tunnel->view());
    return tunnel;
}

// ---- verbs

void TunnelManager::up(const ProfileName& name, Reply<TunnelView> reply) {
    std::shared_ptr<Tunnel> tunnel = find(name);
    if (tunnel && tunnel->after_repair([this, name, reply] { up(name, reply); })) return;
    if (tunnel && tunnel->busy())
        return reply(fail(ErrorCode::kBusy,
                          "tunnel '" + name.str() + "' is " + std::string(to_string(tunnel->state()))));
    if (tunnel && tunnel->state() == TunnelState::kUp) {
        // It stays as it is; but whoever asked has perhaps just changed the file.
        const auto stored = ports_.profiles.read(name);
        tunnel->note_profile_changed(stored && profile_digest(stored->text) != tunnel->profile_digest());
        tunnel_changed(*tunnel);
        return reply(tunnel->view());
    }
    // Everything that can be wrong with the words is found before anything is touched.
    auto loaded = load(name);
    if (!loaded) return reply(fail(std::move(loaded).error()));
    auto choice = choose_backend(settings_.of(name).backend, ports_.backends.probe());
    if (!choice) return reply(fail(std::move(choice).error()));
    if (!tunnel) tunnel = make(name);
    note_taken_down(name, false);
    tunnel->up(std::move(*loaded), std::move(*choice), std::move(reply));
}

void TunnelManager::down(const ProfileName& name, Reply<void> reply) {
    const std::shared_ptr<Tunnel> tunnel = find(name);
    if (tunnel && tunnel->after_repair([this, name, reply] { down(name, reply); })) return;
    // Also one that autoconnect still tries to bring up: it is to be left.
    const bool before = ports_.journal.is_taken_down(name);
    if (settings_.of(name).autoconnect) note_taken_down(name, true);
    if (!tunnel) return reply(fail(ErrorCode::kNotFound, "tunnel '" + name.str() + "' is not up"));
    // As wg-quick does. A save that is not possible does not keep the tunnel up.
    if (tunnel->saves_on_down())
        if (auto saved = save(name, false); !saved)
            log::warning("{}: not saved (SaveConfig): {}", name.str(), saved.error().message);
    tunnel->down([this, name, before, reply = std::move(reply)](Result<void> down) {
        if (!down) note_taken_down(name, before);
        reply(std::move(down));
    });
}

void TunnelManager::note_taken_down(const ProfileName& name, bool taken_down) {
    if (ports_.journal.is_taken_down(name) == taken_down) return;
    if (auto noted = ports_.journal.set_taken_down(name, taken_down); !noted)
        log::warning("{}: {}", name.str(), noted.error().message);
}

void TunnelManager::reload(const ProfileName& name, Reply<PlanText> reply) {
    begin_reload(name, &Tunnel::reload, std::move(reply));
}

void TunnelManager::begin_reload(const ProfileName& name,
                                 void (Tunnel::*verb)(LoadedProfile, TunnelSettings, Reply<PlanText>),
                                 Reply<PlanText> reply) {
    const std::shared_ptr<Tunnel> tunnel = find(name);
    if (!tunnel) return reply(fail(ErrorCode::kNotFound, "tunnel '" + name.str() + "' is not up"));
    if (tunnel->after_repair([this, name, verb, reply] { begin_reload(name, verb, reply); })) return;
    // A profile or a setting that is wrong leaves the tunnel as it is.
    auto loaded = load(name);
    if (!loaded) return reply(fail(std::move(loaded).error()));
    if (read_settings_) {
        auto settings = read_settings_();
        if (!settings) return reply(fail(std::move(settings).error()));
        settings_ = std::move(*settings);
    }
    (*tunnel.*verb)(std::move(*loaded), settings_.of(name), std::move(reply));
}

Result<void> TunnelManager::cancel(const ProfileName& name) {
    const std::shared_ptr<Tunnel> tunnel = find(name);
    if (tunnel && tunnel->cancel()) return {};
    return fail(ErrorCode::kNotFound, "nothing of '" + name.str() + "' is under way that could be cancelled");
}

Result<std::vector<std::string>> TunnelManager::save(const ProfileName& name, bool force) {
    const std::shared_ptr<Tunnel> tunnel = find(name);
    if (!tunnel) return fail(ErrorCode::kNotFound, "tunnel '" + name.str() + "' is not up");
    return tunnel->save(force, [&] { return load(name); });
}

void TunnelManager::plan(const ProfileName& name, const std::string& verb, Reply<PlanText> reply) {
    const std::shared_ptr<Tunnel> tunnel = find(name);
    if (verb == "down") {
        if (!tunnel) return reply(fail(ErrorCode::kNotFound, "tunnel '" + name.str() + "' is not up"));
        return reply(tunnel->plan_down());
    }
    if (verb == "reload") return begin_reload(name, &Tunnel::plan_reload, std::move(reply));
    if (verb != "up")
        return reply(
            fail(ErrorCode::kInvalidArgument, "there is no plan for '" + verb + "': say up, down or reload"));
    if (tunnel && tunnel->busy())
        return reply(fail(ErrorCode::kBusy,
                          "tunnel '" + name.str() + "' is " + std::string(to_string(tunnel->state()))));
    if (tunnel && tunnel->state() == TunnelState::kUp) return reply(PlanText{});
    auto loaded = load(name);
    if (!loaded) return reply(fail(std::move(loaded).error()));
    auto choice = choose_backend(settings_.of(name).backend, ports_.backends.probe());
    if (!choice) return reply(fail(std::move(choice).error()));
    std::make_shared<Tunnel>(ports_, static_cast<TunnelHost&>(*this), name, settings_.of(name))
        ->plan_up(std::move(*loaded), std::move(*choice), std::move(reply));
}

Result<std::vector<Diagnostic>> TunnelManager::check(const ProfileName& name) {
    auto stored = ports_.profiles.read(name);
    WGD_TRY(stored);
    return parse(stored->text, name).diagnostics;
}

Result<std::vector<ProfileSummary>> TunnelManager::list_profiles() {
    auto names = ports_.profiles.list();
    WGD_TRY(names);
    std::vector<ProfileSummary> list;
    for (const ProfileName& name : *names) {
        ProfileSummary summary{name};
        if (const auto tunnel = find(name)) summary.state = tunnel->state();
        if (const auto stored = ports_.profiles.read(name); stored) {
            summary.path = stored->path;
            for (const Diagnostic& finding : parse(stored->text, name).diagnostics) {
                if (finding.severity != Severity::kError) continue;
                summary.problem = format(finding, stored->path);
                break;
            }
        } else {
            summary.problem = stored.error().message;
        }
        list.push_back(std::move(summary));
    }
    return list;
}

std::vector<TunnelView> TunnelManager::tunnels() {
    std::vector<TunnelView> views;
    for (const auto& [name, tunnel] : tunnels_)
        views.push_back(tunnel->view());
    return views;
}

Result<TunnelView> TunnelManager::tunnel(const ProfileName& name) {
    const std::shared_ptr<Tunnel> found = find(name);
    if (!found) return fail(ErrorCode::kNotFound, "tunnel '" + name.str() + "' is not up");
    return found->view();
}

std::vector<std::pair<std::string, std::string>> TunnelManager::backends() {
    const ports::BackendReport report = ports_.backends.probe();
    std::vector<std::pair<std::string, std::string>> list;
    if (report.kernel) list.emplace_back(plan::to_string(plan::Backend::kKernel), report.kernel_reason);
    if (report.userspace)
        list.emplace_back(plan::to_string(plan::Backend::kUserspace), report.userspace_reason);
    return list;
}

// ---- what others do

void TunnelManager::on_world_changed() {
    kill_switch_.world_changed();
    const auto tunnels = tunnels_; // a tunnel may go while we ask
    for (const auto& [name, tunnel] : tunnels)
        tunnel->world_changed();
}

void TunnelManager::on_other_namespace_changed() {
    const auto tunnels = tunnels_;
    for (const auto& [name, tunnel] : tunnels)
        if (tunnel->is_in_namespace()) tunnel->world_changed();
}

void TunnelManager::time_passed(const std::string& why) {
    const auto tunnels = tunnels_;
    if (!tunnels.empty()) log::info("{}: endpoints are checked", why);
    for (const auto& [name, tunnel] : tunnels)
        tunnel->time_passed();
}

void TunnelManager::on_dns_changed() {
    const auto tunnels = tunnels_;
    for (const auto& [name, tunnel] : tunnels)
        tunnel->dns_changed();
}

void TunnelManager::on_link_gone(const std::string& link) {
    if (const auto tunnel = find_link(link)) tunnel->link_gone();
}

void TunnelManager::on_datapath_exit(const std::string& link, const std::string& how) {
    if (const auto tunnel = find_link(link)) tunnel->lost("its datapath ended: " + how, true);
}

// ---- between tunnels

void TunnelManager::tunnel_changed(Tunnel& tunnel) {
    if (observer_ != nullptr && find(tunnel.name()).get() == &tunnel)
        observer_->on_tunnel_changed(tunnel.view());
}

void TunnelManager::tunnel_gone(Tunnel& tunnel) {
    const ProfileName name = tunnel.name();
    const auto found = tunnels_.find(name);
    if (found == tunnels_.end() || found->second.get() != &tunnel) return;
    tunnels_.erase(found); // whoever called holds the tunnel
    if (observer_ != nullptr) observer_->on_tunnel_removed(name);
}

// Two tunnels that come up at the same time read the same system. What the first has chosen, the second must
// see although it is not there yet: marks, tables and rule priorities (D4).
void TunnelManager::add_reservations(const ProfileName& except, plan::Snapshot& snapshot) const {
    for (const auto& [name, tunnel] : tunnels_) {
        if (name == except) continue;
        for (const std::uint32_t mark : tunnel->marks())
            snapshot.marks_in_use.insert(mark);
        for (const plan::Rule& rule : tunnel->rules())
            if (std::find(snapshot.rules.begin(), snapshot.rules.end(), rule) == snapshot.rules.end())
                snapshot.rules.push_back(rule);
    }
}

std::optional<std::string> TunnelManager::original_sysctl(const ProfileName& except,
                                                          const std::string& key) const {
    for (const auto& [name, tunnel] : tunnels_)
        if (name != except)
            if (auto original = tunnel->original_sysctl(key)) return original;
    return std::nullopt;
}

std::map<std::string, std::string> TunnelManager::original_sysctls(const ProfileName& except) const {
    std::map<std::string, std::string> originals;
    for (const auto& [name, tunnel] : tunnels_)
        if (name != except) originals.merge(tunnel->original_sysctls());
    return originals;
}

std::vector<IpAddress> TunnelManager::tunnel_name_servers() const {
    std::set<IpAddress> servers;
    for (const auto& [name, tunnel] : tunnels_)
        for (const IpAddress& server : tunnel->name_servers())
            servers.insert(server);
    return {servers.begin(), servers.end()};
}

bool TunnelManager::needs_sysctl(const ProfileName& except, const std::string& key) const {
    return std::any_of(tunnels_.begin(), tunnels_.end(), [&](const auto& entry) {
        return entry.first != except && entry.second->needs_sysctl(key);
    });
}

} // namespace wgd::control
