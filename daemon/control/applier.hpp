// SPDX-License-Identifier: MIT
// Applier: takes the steps of a plan as one transaction. The undo of a step is on disk before the step is
// taken; when one fails, it and all before it are undone, last first. Loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/model/names.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

struct Transaction {
    ProfileName name;
    plan::Plan plan;
    // false: nothing is written to the undo log, because after a crash recovery goes forward, not back
    // (down).
    bool journalled = true;
    // Somebody may change his mind while it runs: see cancel().
    bool cancellable = false;
    // Before the first step; an error means that none is taken.
    std::function<void(ports::Done)> before;
    // After the last step: looks whether all is well and writes down that it is. An error undoes everything.
    std::function<Result<void>()> commit;
    // Called when undoing begins.
    std::function<void()> on_rollback;
    // An op of the undo that must not be done any more (it takes back a sysctl that another tunnel needs by
    // now).
    std::function<bool(const plan::Op&)> keep;
    // The same for the steps, asked right before each is taken: other tunnels live on while this one waits.
    std::function<bool(const plan::Op&)> skip;
};

struct Outcome {
    std::optional<Error> error;        // nullopt: done. kRollback: not done, and not all undone
    std::vector<plan::Op> residue_ops; // undo that failed, in the order to run it
    std::vector<std::string> residue;  // the same in words, with what was wrong
};

class Applier {
  public:
    Applier(ports::Executor& executor, ports::Journal& journal)
        : executor_(executor)
        , journal_(journal) {}

    // `done` is called once, perhaps before run() returns. Destroying the Applier lets what runs run to its
    // end without anybody being told.
    void run(Transaction transaction, std::function<void(Outcome)> done);

    // Makes the step that is being taken the last one, cuts it short if that can be, and undoes all of them;
    // `why` is the outcome's error. False: nothing that may be cancelled is running forward.
    bool cancel(Error why);

    // Runs undo left by a crash or by a failed rollback; clears the undo log when all of it succeeded.
    void undo(const ProfileName& name, std::vector<plan::Op> ops, std::function<bool(const plan::Op&)> keep,
              std::function<void(Outcome)> done);

  private:
    class Running;
    ports::Executor& executor_;
    ports::Journal& journal_;
    std::weak_ptr<Running> running_; // the latest
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::control
