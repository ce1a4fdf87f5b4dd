// SPDX-License-Identifier: MIT
// EventLoop: the daemon's one thread, over sd-event(3). Sources are RAII: destroying one removes it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <sys/types.h>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

struct sd_event;

namespace wgd::loop {

class Source {
  public:
    virtual ~Source() = default; // removes the source from the loop; safe from within its own callback
};
using SourcePtr = std::unique_ptr<Source>;

class EventLoop {
  public:
    static Result<std::unique_ptr<EventLoop>> create();
    virtual ~EventLoop() = default;

    // `events` and the callback's argument are epoll(7) bits.
    virtual Result<SourcePtr> add_fd(int fd, std::uint32_t events,
                                     std::function<void(std::uint32_t)> ready) = 0;
    // One-shot, CLOCK_BOOTTIME.
    virtual Result<SourcePtr> add_timer(Duration delay, std::function<void()> fire) = 0;
    // The signal is blocked and read through the loop; no code of ours runs in a signal handler.
    virtual Result<SourcePtr> add_signal(int signo, std::function<void()> fire) = 0;
    // Waits for a process through a pidfd; the callback gets waitid(2)'s si_code and si_status (for a process
    // that is not our child: CLD_EXITED, -1).
    virtual Result<SourcePtr> add_process(pid_t pid, std::function<void(int code, int status)> exited) = 0;
    // Runs at the next turn of the loop, after what is queued already.
    virtual void post(std::function<void()> call) = 0;

    virtual int run() = 0; // returns the code given to quit()
    virtual void quit(int code) = 0;
    [[nodiscard]] virtual sd_event* native() = 0; // for the bus attachment only
};

} // namespace wgd::loop
