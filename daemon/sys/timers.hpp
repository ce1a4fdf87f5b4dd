// SPDX-License-Identifier: MIT
// LoopTimers: ports::Timers on the event loop and CLOCK_BOOTTIME.
#pragma once

#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class LoopTimers final : public ports::Timers {
  public:
    explicit LoopTimers(loop::EventLoop& loop)
        : loop_(loop) {}
    std::unique_ptr<Timer> after(Duration delay, std::function<void()> fire) override;
    [[nodiscard]] Instant now() const override { return BootClock::now(); }

  private:
    loop::EventLoop& loop_;
};

} // namespace wgd::sys
