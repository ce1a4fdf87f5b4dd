// SPDX-License-Identifier: MIT
// Tunnel: one tunnel's life. It reads, derives, diffs and applies through the ports; it decides when, never
// what (that is daemon/plan). Loop's thread. Held by shared_ptr: it may come to its end within a call to it.
//
//   down -> resolving -> applying -> up -> removing -> (gone)
//                           |        |  \-> reapplying -> up
//                      rolling-back  \-> failed (link or datapath lost, undo incomplete) -> removing ->
//                      (gone)
//                           |                                        \-> resolving ...
//                        (gone)
//
// Its sources are the parts of that life: tunnel_up, tunnel_upkeep, tunnel_drift, tunnel_reload,
// tunnel_down, tunnel_takeover; tunnel_plan and tunnel_view tell about it; tunnel.cpp has what all of them
// need.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/control/applier.hpp"
#include "daemon/control/backend_choice.hpp"
#include "daemon/control/device_reading.hpp"
#include "daemon/control/drift.hpp"
#include "daemon/control/endpoint_watch.hpp"
#include "daemon/control/kill_switch.hpp"
#include "daemon/control/manager.hpp"
#include "daemon/control/path_watch.hpp"
#include "daemon/control/ports.hpp"
#include "daemon/control/record.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::control {

// A profile read, checked and parsed.
struct LoadedProfile {
    Profile profile;
    std::string digest;
    std::vector<std::string> warnings;
    PeerViews peers{}; // as it says they are, once somebody asked
};

// A device that is not read again: as it was read for a plan, and as the plan's steps left it.
struct KnownDevice {
    std::optional<WgDevice> device;
    Duration took{}; // to read it
};

class Tunnel;

// What a tunnel needs from whoever holds all of them.
class TunnelHost {
  public:
    virtual ~TunnelHost() = default;
    virtual void tunnel_changed(Tunnel& tunnel) = 0;
    virtual void tunnel_gone(Tunnel& tunnel) = 0; // forget it
    // Adds to a snapshot what the other tunnels have reserved, but not yet made.
    virtual void add_reservations(const ProfileName& except, plan::Snapshot& snapshot) const = 0;
    // The value of a sysctl before any tunnel of ours changed it, if another tunnel knows.
    [[nodiscard]] virtual std::optional<std::string> original_sysctl(const ProfileName& except,
                                                                     const std::string& key) const = 0;
    // All of them, of all other tunnels.
    [[nodiscard]] virtual std::map<std::string, std::string>
    original_sysctls(const ProfileName& except) const = 0;
    // Name servers that tunnels brought along, of all of them.
    [[nodiscard]] virtual std::vector<IpAddress> tunnel_name_servers() const = 0;
    // The one of the host.
    [[nodiscard]] virtual KillSwitch& kill_switch() = 0;
    // Another tunnel needs it, and is not on its way down.
    [[nodiscard]] virtual bool needs_sysctl(const ProfileName& except, const std::string& key) const = 0;
};

class Tunnel : public std::enable_shared_from_this<Tunnel> {
  public:
    template <class T>
    using Reply = Manager::Reply<T>;

    Tunnel(const Ports& ports, TunnelHost& host, ProfileName name, TunnelSettings settings);

    // From down or failed. Answers when the tunnel is up or everything is undone.
    void up(LoadedProfile loaded, BackendChoice choice, Reply<TunnelView> reply);
    // Cancels an `up` that is still resolving; kBusy while anything else is under way (after_repair).
    void down(Reply<void> reply);
    // A repair, which nobody asked for, is being made: `then` is called when it is over. False: none is, and
    // `then` is not called.
    bool after_repair(std::function<void()> then);
    // Gives up an up or a reload that somebody waits for. False: there is none.
    bool cancel();
    // Answers what up() would do. For a tunnel that is in no list.
    void plan_up(LoadedProfile loaded, BackendChoice choice, Reply<PlanText> reply);
    [[nodiscard]] Result<PlanText> plan_down();

    // From up: makes the tunnel what the profile and the settings say now; answers what was done. When that
    // fails, everything is as it was. A down in between cancels it as long as names are being resolved.
    void reload(LoadedProfile loaded, TunnelSettings settings, Reply<PlanText> reply);
    // Answers what reload() would do.
    void plan_reload(LoadedProfile loaded, TunnelSettings settings, Reply<PlanText> reply);
    // From up: writes what the tunnel is now into its profile, changing only the lines that say otherwise.
    // Answers what was changed. `load` reads it again. kConflict when the file is not the one that was
    // applied and `force` is not given.
    Result<std::vector<std::string>> save(bool force, const std::function<Result<LoadedProfile>()>& load);
    // The profile's text is not the one that the tunnel was made from, as somebody found out.
    void note_profile_changed(bool changed) { profile_changed_ = changed; }
    [[nodiscard]] bool saves_on_down() const {
        return state_ == TunnelState::kUp && !busy() && loaded_is_applied_ && loaded_ &&
               loaded_->profile.save_config;
    }
    [[nodiscard]] const std::string& profile_digest() const { return record_.profile_digest; }

    // After a restart: what the record says is this tunnel's, for the others to see until recover() is
    // called.
    void reserve(const Record& record) { record_ = record; }
    // After a restart: takes over what the record says, or finishes what it says was begun. `done` always
    // comes.
    void recover(Record record, std::optional<LoadedProfile> loaded, std::function<void()> done);
    // After a restart: an undo log that could not be worked off.
    void recover_failed(Outcome outcome);

    // After a restart: nothing of it is there but its hold on the kill switch.
    void recover_locked();
    // What the settings say: its own, or else lockdown.
    [[nodiscard]] plan::LockMode wanted_lock() const;
    // It is up without a hold: lockdown was turned on, or what was written down is lost.
    void hold_lock();

    // Its kill switch was opened by somebody, and is closed again.
    void note_lock_repaired(const std::string& what);

    // The link is gone, or the datapath behind it; `why` is a sentence.
    void lost(const std::string& why, bool datapath);
    void link_gone(); // deleted by somebody else
    // Addresses, routes, rules, links or firewall changed, perhaps by somebody else.
    void world_changed();
    [[nodiscard]] bool is_in_namespace() const { return !netns().empty(); }
    // The machine slept, or its clock was set.
    void time_passed();
    // Somebody wrote resolv.conf, or a resolver was started or told something.
    void dns_changed();

    [[nodiscard]] const ProfileName& name() const { return name_; }
    [[nodiscard]] TunnelState state() const { return state_; }
    [[nodiscard]] bool busy() const { return busy_ || state_ == TunnelState::kResolving || reload_; }
    [[nodiscard]] TunnelView view(); // its counters are as new as DeviceReading says

    // What others must keep their hands off.
    [[nodiscard]] std::vector<std::uint32_t> marks() const;
    [[nodiscard]] std::vector<plan::Rule> rules() const;
    [[nodiscard]] std::optional<std::string> original_sysctl(const std::string& key) const;
    [[nodiscard]] std::map<std::string, std::string> original_sysctls() const;
    [[nodiscard]] bool needs_sysctl(const std::string& key) const;
    [[nodiscard]] std::vector<IpAddress> name_servers() const {
        return loaded_ ? loaded_->profile.dns_servers : std::vector<IpAddress>{};
    }

  private:
    struct Prepared {
        plan::Desired desired;
        plan::Plan plan;
        Record record;                 // to be written when it is done
        std::set<std::string> waiting; // of an upkeep: repairs that are not made now (Drift)
        bool replaces_endpoints = false;
        plan::Snapshot seen; // what the plan was made from
        Duration took{};     // to read that
    };
    // What a tunnel is made from, new.
    struct Reload {
        std::optional<LoadedProfile> loaded;
        TunnelSettings settings;
        std::unique_ptr<EndpointWatch> endpoints;
        Reply<PlanText> reply;
    };

    void enter(TunnelState state);
    void fail_up(Error error);
    void resolve_and_apply();
    void apply_up();
    void came_up();
    void reconcile();
    void look_soon(Duration delay);
    void look_for_drift();
    void note_drift(const plan::Op& repair, const Record& next);
    void rebuild_soon();
    void rebuild();
    // `asked_for`: somebody waits for it, and may cancel it.
    void reapply(Prepared prepared, bool asked_for, std::function<void(Outcome)> done);
    [[nodiscard]] Result<void> may_reload() const;
    void resolve(const std::shared_ptr<Reload>& reload, std::function<void(Tunnel&)> ready);
    void trade(Reload& reload); // what it is made from against what it was made from, and back
    void apply_reload();
    void reloaded(std::shared_ptr<Reload> former, PlanText done, Outcome outcome);
    void cancel_reload(const std::string& why);
    void warn_of_waiting(const TunnelSettings& former, plan::Plan& plan);
    [[nodiscard]] PlanText tell(const plan::Plan& plan) const;
    void clear_leftovers(std::function<void(Result<void>)> done);
    [[nodiscard]] Result<plan::Plan> steps_to_absence();
    void remove(std::function<void(Result<void>)> done);
    void forget_record();
    void vanish();
    void vanish_unless_locked();

    [[nodiscard]] KillSwitch::Hold hold_for(const Record& record) const;
    void close_lock(KillSwitch::Done done);
    std::function<void(KillSwitch::Done)> widen_lock(const Record& next);
    void settle_lock();
    void open_lock(KillSwitch::Done done);
    void watch_datapath();
    void look_after(); // from a state that has a profile: its endpoints are resolved, and filled in when they
                       // are found

    std::unique_ptr<EndpointWatch> make_endpoint_watch(const TunnelSettings& settings);
    [[nodiscard]] ports::LookupPath lookup_path() const;
    void watch_endpoints(); // from now on, as long as the tunnel is up
    [[nodiscard]] bool probes_paths() const;
    void watch_paths(); // the same, if the settings say so

    Result<plan::Snapshot> look(const plan::ResolvedEndpoints& endpoints, bool device = true);
    [[nodiscard]] const std::string& netns() const;
    [[nodiscard]] plan::Policy policy() const;
    Result<Prepared> prepare(bool upkeep = false);
    Result<Prepared> prepare_upkeep(); // repairs alone
    void remember_sysctls(const plan::Desired& desired, const plan::Snapshot& snapshot, Record& into) const;
    Result<void> verify(const plan::Desired& desired, const std::set<std::string>& waiting = {},
                        KnownDevice known = {});
    void note_hooks(const plan::Snapshot& snapshot, plan::Desired& settled); // what they made of the link
    [[nodiscard]] bool keeps(const plan::Op& op) const; // another tunnel needs what this op would take back
    // The same for an applier, which may outlive the tunnel.
    [[nodiscard]] std::function<bool(const plan::Op&)> keeper();
    // A transaction of this tunnel; `commit` is asked after the last step.
    [[nodiscard]] Transaction transaction(plan::Plan plan, bool journalled,
                                          std::function<Result<void>(Tunnel&)> commit);
    [[nodiscard]] bool has_link(const plan::Snapshot& snapshot) const; // one that bears our mark
    void read_again();
    void take_reading(const plan::Snapshot& snapshot, Instant began);
    void take_reading(const plan::Link& link, const std::vector<IpPrefix>& addresses, const WgDevice& device,
                      const std::string& dns_problem, Instant began);

    // Calls back into this tunnel if it is still there, and keeps it there for the time of the call.
    template <class F>
    auto guarded(F call) {
        return [weak = weak_from_this(), call = std::move(call)](auto&&... args) {
            if (const auto self = weak.lock()) call(*self, std::forward<decltype(args)>(args)...);
        };
    }

    const Ports& ports_;
    TunnelHost& host_;
    ProfileName name_;
    TunnelSettings settings_;
    Applier applier_;

    TunnelState state_ = TunnelState::kDown;
    bool busy_ = false;      // a transaction is running
    bool repairing_ = false; // one that nobody asked for
    std::vector<std::function<void()>> after_repair_;
    bool cancelled_ = false; // while the kill switch is being closed for an up
    Reply<TunnelView> up_reply_;
    std::optional<LoadedProfile> loaded_;
    bool loaded_is_applied_ = false; // the system was made from this very text
    bool profile_changed_ = false;   // since then
    std::unique_ptr<EndpointWatch> endpoints_;
    std::unique_ptr<PathWatch> paths_;
    std::shared_ptr<Reload> reload_; // one whose names are being resolved

    Record record_; // as on disk, if there is one
    bool has_record_ = false;
    std::optional<Record> pending_; // of the transaction that is running: reserved, not yet true

    bool dns_due_ = false;  // DNS is to be looked at when reconcile() can
    bool dns_known_ = true; // false: nobody has told a resolver anything since the daemon was started
    std::vector<std::string> plan_warnings_;
    std::string last_error_;
    Drift drift_;
    std::unique_ptr<ports::Timers::Timer> drift_timer_; // the next look
    Instant drift_due_{};
    std::optional<Instant> drift_looked_; // the last one
    Duration drift_took_{};
    std::map<std::string, std::size_t> table_contents_; // as we made our nftables tables
    std::unique_ptr<ports::Timers::Timer> rebuild_timer_;
    std::optional<Instant> rebuilt_;
    Duration rebuild_delay_{};
    bool rebuilding_ = false;

    std::string lost_while_busy_;
    bool lost_datapath_ = false;
    std::vector<std::string> residue_;
    std::vector<plan::Op> residue_ops_;
    PeerTrackers trackers_;
    std::optional<DeviceReading> reading_; // none: nothing is known of the device
};

} // namespace wgd::control
