// SPDX-License-Identifier: MIT
// FakeTime: a clock that moves when told to, and the timers on it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "daemon/ports/ports.hpp"

namespace wgd::fakes {

class FakeTime final : public ports::Timers, public Clock {
  public:
    std::unique_ptr<Timer> after(Duration delay, std::function<void()> fire) override {
        const auto key = std::make_pair(now_ + delay, next_++);
        timers_->emplace(key, std::move(fire));
        return std::make_unique<Handle>(timers_, key);
    }
    [[nodiscard]] Instant now() const override { return now_; }
    [[nodiscard]] WallTime wall() const override {
        return WallTime{} + std::chrono::hours(500'000) + now_.time_since_epoch();
    }

    // Fires what is due on the way, in order.
    void advance(Duration by) {
        const Instant end = now_ + by;
        while (!timers_->empty() && timers_->begin()->first.first <= end) {
            const auto first = timers_->begin();
            now_ = std::max(now_, first->first.first);
            const auto fire = std::move(first->second);
            timers_->erase(first);
            fire();
        }
        now_ = end;
    }
    // Time goes by without anybody being awake: what is due comes afterwards.
    void sleep(Duration by) { now_ += by; }
    [[nodiscard]] std::size_t armed() const { return timers_->size(); }

  private:
    using Key = std::pair<Instant, int>;
    using Armed = std::map<Key, std::function<void()>>;
    struct Handle final : Timer {
        Handle(std::shared_ptr<Armed> timers, Key key)
            : timers_(std::move(timers))
            , key_(key) {}
        ~Handle() override { timers_->erase(key_); }
        std::shared_ptr<Armed> timers_;
        Key key_;
    };

    Instant now_{std::chrono::hours(1)};
    int next_ = 0;
    std::shared_ptr<Armed> timers_ = std::make_shared<Armed>();
};

} // namespace wgd::fakes
