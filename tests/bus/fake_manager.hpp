// SPDX-License-Identifier: MIT
// A control::Manager that behaves as the name of the profile says, so that a test can ask for any behaviour
// over the bus. It touches nothing.
//
//   home       comes up at once: two peers, one with a roaming endpoint; counters grow with every reading
//              reload sets its MTU to 1400, and finds nothing to do the next time
//              save changes nothing, and its MTU with force
//   slow       takes two seconds, by way of "resolving" and "applying"
//   hang       never answers, unless it is cancelled
//   dropped    forgets the reply
//   throws     throws in every method, as a bug would
//   err-N      every verb fails with ErrorCode N
//   latin      a peer and texts in Latin-1, which is not UTF-8
//   huge       10,000 peers with five allowed IPs each
//   broken     a profile that has mistakes (check), and a problem (list)
//   roam, grow, shrink, oops   not tunnels: `up` changes "home" (endpoint and counters; one peer more; one
//   less; an
//              error text and a warning that name an endpoint) and answers with it
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/control/manager.hpp"
#include "daemon/loop/event_loop.hpp"

namespace wgd::test {

class FakeManager : public control::Manager {
  public:
    explicit FakeManager(loop::EventLoop& loop)
        : loop_(loop) {}

    void up(const ProfileName& name, Reply<control::TunnelView> reply) override;
    void down(const ProfileName& name, Reply<void> reply) override;
    void reload(const ProfileName& name, Reply<control::PlanText> reply) override;
    Result<void> cancel(const ProfileName& name) override;
    Result<std::vector<std::string>> save(const ProfileName& name, bool force) override;
    void plan(const ProfileName& name, const std::string& verb, Reply<control::PlanText> reply) override;
    Result<std::vector<Diagnostic>> check(const ProfileName& name) override;
    Result<std::vector<control::ProfileSummary>> list_profiles() override;
    std::vector<control::TunnelView> tunnels() override;
    Result<control::TunnelView> tunnel(const ProfileName& name) override;
    [[nodiscard]] plan::LockMode lockdown() const override { return plan::LockMode::kLan; }
    std::vector<std::pair<std::string, std::string>> backends() override;
    void set_observer(control::ManagerObserver* observer) override { observer_ = observer; }

  private:
    control::TunnelView& add(const ProfileName& name, control::TunnelState state);
    void change(const ProfileName& name, control::TunnelState state);
    Result<control::TunnelView> script(const std::string& verb);

    loop::EventLoop& loop_;
    control::ManagerObserver* observer_ = nullptr;
    std::map<ProfileName, control::TunnelView> tunnels_;
    std::vector<Reply<control::TunnelView>> hanging_;
    std::vector<loop::SourcePtr> timers_;
};

} // namespace wgd::test
