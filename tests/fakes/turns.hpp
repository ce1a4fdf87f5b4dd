// SPDX-License-Identifier: MIT
// Turns: the fake event loop. Completions are called at once or, when deferred, one by one by run().
#pragma once

#include <deque>
#include <functional>

namespace wgd::fakes {

class Turns {
  public:
    void set_deferred(bool deferred) { deferred_ = deferred; }
    void complete(std::function<void()> call) {
        if (deferred_)
            queue_.push_back(std::move(call));
        else
            call();
    }
    bool run_one() {
        if (queue_.empty()) return false;
        const auto call = std::move(queue_.front());
        queue_.pop_front();
        call();
        return true;
    }
    void run() {
        while (run_one()) {
        }
    }
    void drop_all() { queue_.clear(); }
    [[nodiscard]] bool idle() const { return queue_.empty(); }

  private:
    bool deferred_ = false;
    std::deque<std::function<void()>> queue_;
};

} // namespace wgd::fakes
