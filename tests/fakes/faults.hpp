// SPDX-License-Identifier: MIT
// Faults: counts every effect the daemon has on a fake world (kernel operations and journal writes alike),
// and can make the n-th one fail, or kill the daemon there, before or after the effect took place.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace wgd::fakes {

class Faults {
  public:
    enum class When { kBefore, kAfter };

    void fail_at(int n, When when) { fail_at_ = n, when_ = when; }
    void crash_at(int n, When when) { crash_at_ = n, when_ = when; }
    // Every effect for which this says so fails, without taking place.
    void fail_if(std::function<bool(const std::string&)> match) { match_ = std::move(match); }
    void clear() {
        fail_at_ = crash_at_ = -1;
        match_ = nullptr;
        dead_ = triggered_ = false;
        count_ = 0;
        trace_.clear();
    }

    // True once the chosen effect was reached: a loop over n ends when a whole run does not reach it.
    [[nodiscard]] bool triggered() const { return triggered_; }
    [[nodiscard]] bool dead() const { return dead_; } // nothing has an effect, no completion is called
    [[nodiscard]] int count() const { return count_; }
    [[nodiscard]] const std::vector<std::string>& trace() const { return trace_; }

    Result<void> around(const std::string& what, const std::function<Result<void>()>& effect) {
        if (dead_) return fail(ErrorCode::kInternal, "the daemon is dead");
        const int n = count_++;
        trace_.push_back(what);
        const bool fails = n == fail_at_, crashes = n == crash_at_;
        triggered_ = triggered_ || fails || crashes;
        if (match_ && match_(what)) return fail(ErrorCode::kKernel, "injected by rule: " + what);
        if (when_ == When::kBefore && fails) return injected(what);
        if (when_ == When::kBefore && crashes) return die();
        Result<void> result = effect();
        if (crashes) return die();
        if (fails) return injected(what);
        return result;
    }

  private:
    static Result<void> injected(const std::string& what) {
        return fail(ErrorCode::kKernel, "injected: " + what);
    }
    Result<void> die() {
        dead_ = true;
        return fail(ErrorCode::kInternal, "the daemon is dead");
    }

    int fail_at_ = -1, crash_at_ = -1, count_ = 0;
    When when_ = When::kBefore;
    bool dead_ = false, triggered_ = false;
    std::function<bool(const std::string&)> match_;
    std::vector<std::string> trace_;
};

} // namespace wgd::fakes
