// SPDX-License-Identifier: MIT
// Manager: the verbs. daemon/bus calls these after authorization; everything is on the loop's thread.
// Operations on one tunnel are serialised: a second one while the first runs is refused with kBusy, except
// that `down` cancels an `up` that is still resolving, and `cancel` either of up and reload at any time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/diagnostic.hpp"
#include "common/model/names.hpp"
#include "daemon/control/view.hpp"

namespace wgd::control {

struct ProfileSummary {
    ProfileName name;
    std::string path;
    TunnelState state = TunnelState::kDown;
    std::string problem; // empty, or why it cannot be used (first diagnostic, unsafe file)
};

struct PlanText {
    std::vector<std::string> steps; // as commands, in order, secrets masked; empty: nothing to do
    std::vector<std::string> warnings;
};

class ManagerObserver {
  public:
    virtual ~ManagerObserver() = default;
    virtual void on_tunnel_added(const TunnelView& tunnel) = 0;
    virtual void on_tunnel_changed(const TunnelView& tunnel) = 0; // peers included: compare and signal
    virtual void on_tunnel_removed(const ProfileName& name) = 0;
    virtual void on_lockdown_changed() = 0;
};

class Manager {
  public:
    virtual ~Manager() = default;
    template <class T>
    using Reply = std::function<void(Result<T>)>;

    // Answers when the tunnel is up (or already was: kOk with no change) or everything is undone.
    virtual void up(const ProfileName& name, Reply<TunnelView> reply) = 0;
    virtual void down(const ProfileName& name, Reply<void> reply) = 0;
    // Reads the profile and its settings again and applies the difference; answers what was done, or an
    // error, and then the tunnel is as it was. kNotFound when it is not up.
    virtual void reload(const ProfileName& name, Reply<PlanText> reply) = 0;
    // Gives up an up or a reload that is under way: its reply is kCancelled, once all is undone, or success
    // if it was done already. kNotFound when neither is under way.
    virtual Result<void> cancel(const ProfileName& name) = 0;
    // Writes what the tunnel is now into its profile; answers what was changed there. kConflict when the
    // profile is not the one that was applied, unless `force`.
    virtual Result<std::vector<std::string>> save(const ProfileName& name, bool force) = 0;
    // What `verb` ("up", "down", "reload") would do now; nothing is touched.
    virtual void plan(const ProfileName& name, const std::string& verb, Reply<PlanText> reply) = 0;
    // All findings of a profile's text; an unreadable profile is an error, findings are not.
    virtual Result<std::vector<Diagnostic>> check(const ProfileName& name) = 0;
    virtual Result<std::vector<ProfileSummary>> list_profiles() = 0;

    [[nodiscard]] virtual std::vector<TunnelView> tunnels() = 0; // live: counters freshly read
    virtual Result<TunnelView> tunnel(const ProfileName& name) = 0;

    // In force now: closed although no tunnel asks for it.
    [[nodiscard]] virtual plan::LockMode lockdown() const = 0;
    // {"kernel", "in-tree"}, ... for the Backends property.
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> backends() = 0;
    virtual void set_observer(ManagerObserver* observer) = 0; // not owned
};

} // namespace wgd::control
