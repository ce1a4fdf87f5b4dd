// SPDX-License-Identifier: MIT
#include "daemon/control/applier.hpp"

#include "common/base/log.hpp"

namespace wgd::control {

// One running transaction. It keeps itself alive through the completions it waits for.
//
// An operation may complete at once or later. advance() is a loop and not a recursion, so that ten thousand
// routes that complete at once need no stack: a completion that comes while the loop is on the stack only
// leaves its result for the loop to find.
class Applier::Running : public std::enable_shared_from_this<Running> {
  public:
    Running(ports::Executor& executor, ports::Journal& journal, Transaction transaction,
            std::weak_ptr<bool> owner, std::function<void(Outcome)> done)
        : executor_(executor)
        , journal_(journal)
        , transaction_(std::move(transaction))
        , owner_(std::move(owner))
        , done_(std::move(done)) {}

    void start() {
        if (!transaction_.before) return advance();
        transaction_.before([self = shared_from_this()](Result<void> ready) {
            if (!ready) self->roll_back(std::move(ready).error());
            self->advance();
        });
    }
    void start_undoing(std::vector<plan::Op> ops) {
        undo_ = std::move(ops);
        undoing_ = true;
        // An undo log is there to be cleared, whatever the plan (none here) says.
        wrote_undo_ = true;
        advance();
    }

    bool cancel(Error why) {
        if (!transaction_.cancellable || undoing_ || finished_ || cancelled_) return false;
        cancelled_ = std::move(why);
        if (waiting_ && step_ < transaction_.plan.steps.size())
            executor_.interrupt(transaction_.plan.steps[step_].act);
        return true;
    }

  private:
    void advance() {
        while (!finished_) {
            const plan::Op* op = undoing_ ? next_undo() : next_step();
            if (op == nullptr) continue; // changed direction, or finished
            in_advance_ = true;
            waiting_ = true;
            executor_.perform(*op, [self = shared_from_this()](Result<void> result) {
                self->completed(std::move(result));
            });
            in_advance_ = false;
            if (waiting_) return;
        }
    }

    void completed(Result<void> result) {
        if (!waiting_)
            return; // a completion called twice would be a bug of the port; it must not become ours
        waiting_ = false;
        if (undoing_)
            undo_completed(std::move(result));
        else
            step_completed(std::move(result));
        if (!in_advance_) advance();
    }

    // ---- forward

    const plan::Op* next_step() {
        if (cancelled_) {
            roll_back(std::move(*cancelled_));
            return nullptr;
        }
        const auto skipped = [&](const plan::Step& step) {
            return transaction_.skip && transaction_.skip(step.act);
        };
        while (step_ < transaction_.plan.steps.size() && skipped(transaction_.plan.steps[step_])) {
            transaction_.plan.steps[step_].undo.clear();
            ++step_;
        }
        if (step_ == transaction_.plan.steps.size()) {
            if (transaction_.commit) {
                if (auto committed = transaction_.commit(); !committed) {
                    roll_back(std::move(committed).error());
                    return nullptr;
                }
            }
            clear_log();
            finish();
            return nullptr;
        }
        const plan::Step& step = transaction_.plan.steps[step_];
        if (transaction_.journalled && !step.undo.empty()) {
            wrote_undo_ = true; // even if it fails: a part of it may be there
            if (auto written = journal_.append_undo(transaction_.name, step.undo); !written) {
                // Not taken, so only what came before is undone.
                roll_back(std::move(written).error());
                return nullptr;
            }
        }
        return &step.act;
    }

    void step_completed(Result<void> result) {
        const std::size_t k = step_++;
        if (result) return;
        Error error = cancelled_ ? *cancelled_ : std::move(result).error();
        log::debug("{}: step {} failed: {}", transaction_.name.str(), k + 1, error.message);
        roll_back(std::move(error)); // step k as well: it may be half done
    }

    // ---- back

    void roll_back(Error error) {
        outcome_.error = std::move(error);
        undoing_ = true;
        for (std::size_t k = step_; k-- > 0;)
            for (plan::Op& op : transaction_.plan.steps[k].undo)
                undo_.push_back(std::move(op));
        if (transaction_.on_rollback) transaction_.on_rollback();
    }

    const plan::Op* next_undo() {
        while (undone_ < undo_.size() && transaction_.keep && transaction_.keep(undo_[undone_]))
            ++undone_;
        if (undone_ < undo_.size()) return &undo_[undone_];
        if (outcome_.residue.empty()) {
            clear_log();
        } else {
            std::string left;
            for (const std::string& line : outcome_.residue)
                left += (left.empty() ? "" : "; ") + line;
            Error error{ErrorCode::kRollback, "could not undo: " + left, 0};
            if (outcome_.error) error.message = outcome_.error->message + "; and " + error.message;
            outcome_.error = std::move(error);
        }
        finish();
        return nullptr;
    }

    void undo_completed(Result<void> result) {
        const plan::Op& op = undo_[undone_++];
        if (result) return;
        // The others are still worth undoing; this one is remembered.
        outcome_.residue.push_back(plan::describe(op) + ": " + result.error().message);
        outcome_.residue_ops.push_back(op);
    }

    // ---- the end

    void clear_log() {
        if (!wrote_undo_) return;
        // Left behind, it does no harm: recovery sees the record of a tunnel that is up and drops it, and
        // undoing what is undone changes nothing.
        if (auto cleared = journal_.clear_undo(transaction_.name); !cleared)
            log::warning("{}: {}", transaction_.name.str(), cleared.error().message);
    }

    void finish() {
        finished_ = true;
        if (owner_.expired()) return;
        // Called from the loop in advance(), which looks at nothing but finished_ afterwards.
        done_(std::move(outcome_));
    }

    ports::Executor& executor_;
    ports::Journal& journal_;
    Transaction transaction_;
    std::weak_ptr<bool> owner_;
    std::function<void(Outcome)> done_;
    Outcome outcome_;
    std::optional<Error> cancelled_;
    std::size_t step_ = 0; // steps taken, the failed one included
    std::vector<plan::Op> undo_;
    std::size_t undone_ = 0;
    bool undoing_ = false;
    bool finished_ = false;
    bool wrote_undo_ = false;
    bool waiting_ = false;
    bool in_advance_ = false;
};

void Applier::run(Transaction transaction, std::function<void(Outcome)> done) {
    const auto running =
        std::make_shared<Running>(executor_, journal_, std::move(transaction), alive_, std::move(done));
    running_ = running;
    running->start();
}

bool Applier::cancel(Error why) {
    const auto running = running_.lock();
    return running && running->cancel(std::move(why));
}

void Applier::undo(const ProfileName& name, std::vector<plan::Op> ops,
                   std::function<bool(const plan::Op&)> keep, std::function<void(Outcome)> done) {
    Transaction transaction{name, {}, false};
    transaction.keep = std::move(keep);
    std::make_shared<Running>(executor_, journal_, std::move(transaction), alive_, std::move(done))
        ->start_undoing(std::move(ops));
}

} // namespace wgd::control
