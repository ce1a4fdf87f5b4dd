// SPDX-License-Identifier: MIT
// KillSwitch: the one firewall table that keeps traffic from leaving outside of the tunnels that ask for it
// (plan/lock.hpp; states and rules in wgd-firewall(7)).
//
// A tunnel closes it before the first step of its `up`, and only `down` opens it: not a failed `up`, not a
// lost link, not the end of the daemon. What it holds is written down before the table is changed, so that
// the next daemon knows it; on a restart the table is made to agree with what is written. Loop's thread.
// Changes are done one after the other.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/result.hpp"
#include "common/model/names.hpp"
#include "daemon/plan/lock.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

class KillSwitch {
  public:
    using Done = std::function<void(Result<void>)>;

    // One tunnel's hold on it.
    struct Hold {
        plan::LockedTunnel passes;
        bool allow_lan = false;

        bool operator==(const Hold&) const = default;
    };
    using Holds = std::map<ProfileName, Hold>;

    // None is owned; all outlive it.
    KillSwitch(ports::SystemReader& reader, ports::Executor& executor, ports::Journal& journal)
        : reader_(reader)
        , executor_(executor)
        , journal_(journal) {}

    // After a restart, before anything else: what an earlier daemon wrote down holds again, with or without a
    // lockdown. If nothing is written down, or nothing that can be read (then it is an error), a table that
    // is there stays as it is until settle().
    void recover(plan::LockMode lockdown, Done done);
    // recover() found a table of which it does not know whose it is: every tunnel that is up and wants it
    // closed has to say so again.
    [[nodiscard]] bool in_doubt() const { return doubt_ != Doubt::kNone; }
    // They have: the table becomes what is wanted now. What was written down and could not be read may have
    // been of a tunnel that is not up: then a table that nobody else wants stays.
    void settle(Done done);

    // From now on only what the holds and this one list passes. An error means that nothing has changed.
    void close(const ProfileName& name, Hold hold, Done done);
    // No hold of this tunnel any more; without any, and without lockdown, the table goes.
    void open(const ProfileName& name, Done done);
    // Closed although no tunnel asks for it.
    void set_lockdown(plan::LockMode lockdown, Done done);

    // Somebody may have changed the table: it is put back.
    void world_changed();
    // `call` gets the sentence each time that the table is put back.
    void on_repair(std::function<void(const std::string&)> call) { repaired_ = std::move(call); }

    [[nodiscard]] bool holds(const ProfileName& name) const { return holds_.count(name) != 0; }
    // Whether encrypted packets of this tunnel reach that endpoint.
    [[nodiscard]] bool passes(const ProfileName& name, const Endpoint& endpoint) const;
    [[nodiscard]] const Holds& all() const { return holds_; }
    [[nodiscard]] plan::LockMode lockdown() const { return lockdown_; }
    // The mode in force for this tunnel; kOff if it has no hold.
    [[nodiscard]] plan::LockMode mode_of(const ProfileName& name) const;

  private:
    struct State {
        Holds holds;
        plan::LockMode lockdown = plan::LockMode::kOff;
    };
    using Change = std::function<void(State&)>;

    Result<Holds> written_down();
    void enqueue(Change change, Done done, bool anew = false);
    void next();
    void finish(Result<void> result, Done done);
    void note_content(); // what the table looks like when we have just made it

    ports::SystemReader& reader_;
    ports::Executor& executor_;
    ports::Journal& journal_;
    Holds holds_;
    plan::LockMode lockdown_ = plan::LockMode::kOff;
    std::string digest_;      // of the table as we made it; empty: there is none of ours
    std::size_t content_ = 0; // plan::TableState
    enum class Doubt : std::uint8_t { kNone, kUnrecorded, kUnreadable };
    Doubt doubt_ = Doubt::kNone;
    bool busy_ = false;
    bool look_again_ = false; // somebody may have changed it while we were busy
    struct Task {
        Change change;
        Done done;
        bool anew = false; // also when the rules are what we last made
    };
    std::deque<Task> tasks_;
    std::function<void(const std::string&)> repaired_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// As the journal keeps it. kParse.
std::string to_json(const KillSwitch::Holds& holds);
Result<KillSwitch::Holds> holds_from_json(std::string_view text);

} // namespace wgd::control
