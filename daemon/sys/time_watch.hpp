// SPDX-License-Identifier: MIT
// TimeWatch: tells when time went by unseen: the machine slept, or its clock was set. Two witnesses, either
// of which may be missing: logind's PrepareForSleep signal on the system bus, and a timer of the kernel that
// is cancelled when the wall clock jumps, which it also does at the end of a suspend (timerfd_create(2),
// TFD_TIMER_CANCEL_ON_SET). Loop's thread; the bus is joined in the background.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/loop/event_loop.hpp"

namespace wgd::sys {

class TimeWatch {
  public:
    virtual ~TimeWatch() = default;
    // `passed` gets a sentence for the log. Both witnesses usually speak after a suspend: one report is made
    // of what comes within kQuietTime. An error means that not even the timer can be had.
    static Result<std::unique_ptr<TimeWatch>> create(loop::EventLoop& loop,
                                                     std::function<void(const std::string& why)> passed);

    static constexpr Duration kQuietTime = std::chrono::milliseconds(200);
};

} // namespace wgd::sys
