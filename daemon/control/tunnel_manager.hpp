// SPDX-License-Identifier: MIT
// TunnelManager: the Manager over the ports. It finds the tunnel that a verb is about, keeps tunnels out of
// each other's way, and hears what others do to the system.
#pragma once

#include <map>
#include <memory>

#include "daemon/control/manager.hpp"
#include "daemon/control/ports.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

class TunnelManager final : public Manager, private ports::WorldObserver, private TunnelHost {
  public:
    TunnelManager(const Ports& ports, Settings settings);
    ~TunnelManager() override;
    TunnelManager(const TunnelManager&) = delete;
    TunnelManager& operator=(const TunnelManager&) = delete;

    // To be called once, before anybody can ask for anything: undoes what a crash left half done, takes over
    // the tunnels that are up, finishes removals that were begun. An error means that the runtime directory
    // or the system cannot be read at all; a tunnel that cannot be recovered is a tunnel in state failed, not
    // an error.
    void recover(Reply<void> done);

    // The machine slept, or its clock was set (`why`, a sentence): what was known of peers is old.
    void time_passed(const std::string& why);

    // For what is asked from now on; a tunnel that is up keeps the settings it came up with. Lockdown changes
    // at once.
    [[nodiscard]] const Settings& settings() const { return settings_; }
    void set_settings(Settings settings);

    // Where a reload reads them from; without it, a reload finds those that were set last.
    void read_settings_with(std::function<Result<Settings>()> read) { read_settings_ = std::move(read); }

    // Manager.
    void up(const ProfileName& name, Reply<TunnelView> reply) override;
    void down(const ProfileName& name, Reply<void> reply) override;
    void reload(const ProfileName& name, Reply<PlanText> reply) override;
    Result<void> cancel(const ProfileName& name) override;
    Result<std::vector<std::string>> save(const ProfileName& name, bool force) override;
    void plan(const ProfileName& name, const std::string& verb, Reply<PlanText> reply) override;
    Result<std::vector<Diagnostic>> check(const ProfileName& name) override;
    Result<std::vector<ProfileSummary>> list_profiles() override;
    [[nodiscard]] std::vector<TunnelView> tunnels() override;
    Result<TunnelView> tunnel(const ProfileName& name) override;
    [[nodiscard]] plan::LockMode lockdown() const override { return kill_switch_.lockdown(); }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> backends() override;
    void set_observer(ManagerObserver* observer) override { observer_ = observer; }

  private:
    struct Recovery;

    // WorldObserver.
    void on_world_changed() override;
    void on_other_namespace_changed() override;
    void on_dns_changed() override;
    void on_link_gone(const std::string& link) override;
    void on_datapath_exit(const std::string& link, const std::string& how) override;
    // TunnelHost.
    void tunnel_changed(Tunnel& tunnel) override;
    void tunnel_gone(Tunnel& tunnel) override;
    void add_reservations(const ProfileName& except, plan::Snapshot& snapshot) const override;
    std::optional<std::string> original_sysctl(const ProfileName& except,
                                               const std::string& key) const override;
    std::map<std::string, std::string> original_sysctls(const ProfileName& except) const override;
    bool needs_sysctl(const ProfileName& except, const std::string& key) const override;
    std::vector<IpAddress> tunnel_name_servers() const override;
    KillSwitch& kill_switch() override { return kill_switch_; }

    void note_taken_down(const ProfileName& name, bool taken_down);
    void begin_reload(const ProfileName& name,
                      void (Tunnel::*verb)(LoadedProfile, TunnelSettings, Reply<PlanText>),
                      Reply<PlanText> reply);
    Result<LoadedProfile> load(const ProfileName& name);
    std::shared_ptr<Tunnel> find(const ProfileName& name) const;
    std::shared_ptr<Tunnel> find_link(const std::string& link) const;
    std::shared_ptr<Tunnel> make(const ProfileName& name);

    Ports ports_;
    Settings settings_;
    std::function<Result<Settings>()> read_settings_;
    KillSwitch kill_switch_;
    ManagerObserver* observer_ = nullptr;
    std::map<ProfileName, std::shared_ptr<Tunnel>> tunnels_;
};

} // namespace wgd::control
