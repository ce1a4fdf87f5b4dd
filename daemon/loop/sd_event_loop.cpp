// SPDX-License-Identifier: MIT
// EventLoop over sd-event(3). sd-event calls back from C code, so nothing may be thrown through it: every
// callback is called from a noexcept function. A bug that throws ends the daemon, tunnels stay, and the undo
// log puts right what was half done.
#include "daemon/loop/event_loop.hpp"

#include <cerrno>
#include <csignal>
#include <deque>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include "common/base/fd.hpp"
#include "daemon/loop/pidfd.hpp"

namespace wgd::loop {
namespace {

struct EventDeleter {
    void operator()(sd_event* event) const { sd_event_unref(event); }
};
struct EventSourceDeleter {
    void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using EventPtr = std::unique_ptr<sd_event, EventDeleter>;
using EventSourcePtr = std::unique_ptr<sd_event_source, EventSourceDeleter>;

// The callback is held by shared_ptr because it may destroy its own source: the copy taken for the call keeps
// it (and what it captured) alive until it returns.
template <class... Args>
using Callback = std::shared_ptr<std::function<void(Args...)>>;

template <class... Args>
class SdSource : public Source {
  public:
    explicit SdSource(std::function<void(Args...)> call)
        : call_(std::make_shared<std::function<void(Args...)>>(std::move(call))) {}
    void own(sd_event_source* source) { source_.reset(source); }
    void fire(Args... args) noexcept {
        const Callback<Args...> call = call_;
        (*call)(args...);
    }

  private:
    Callback<Args...> call_;
    EventSourcePtr source_;
};

using FdSource = SdSource<std::uint32_t>;
using PlainSource = SdSource<>;

// A process's pidfd becomes readable when it ends; then there is one report and the source is spent.
class ProcessSource final : public SdSource<int, int> {
  public:
    ProcessSource(int pidfd, std::function<void(int, int)> exited)
        : SdSource(std::move(exited))
        , pidfd_(pidfd) {}
    void ended() noexcept {
        siginfo_t info{};
        int code = CLD_EXITED;
        int status = -1;
        // Reaps our own child; ECHILD for a process we found running, whose status is its parent's to know.
        if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
            code = info.si_code;
            status = info.si_status;
        }
        fire(code, status);
    }

  private:
    int pidfd_; // owned by the sd-event source
};

int on_fd(sd_event_source*, int, std::uint32_t events, void* data) {
    static_cast<FdSource*>(data)->fire(events);
    return 0;
}
int on_time(sd_event_source*, std::uint64_t, void* data) {
    static_cast<PlainSource*>(data)->fire();
    return 0;
}
int on_signal(sd_event_source*, const signalfd_siginfo*, void* data) {
    static_cast<PlainSource*>(data)->fire();
    return 0;
}
int on_process(sd_event_source* source, int, std::uint32_t, void* data) {
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    static_cast<ProcessSource*>(data)->ended();
    return 0;
}

class SdEventLoop final : public EventLoop {
  public:
    explicit SdEventLoop(EventPtr event)
        : event_(std::move(event)) {}

    Result<SourcePtr> add_fd(int fd, std::uint32_t events,
                             std::function<void(std::uint32_t)> ready) override {
        auto source = std::make_unique<FdSource>(std::move(ready));
        sd_event_source* raw = nullptr;
        if (const int r = sd_event_add_io(event_.get(), &raw, fd, events, on_fd, source.get()); r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot watch a file descriptor");
        source->own(raw);
        return SourcePtr(std::move(source));
    }

    Result<SourcePtr> add_timer(Duration delay, std::function<void()> fire) override {
        auto source = std::make_unique<PlainSource>(std::move(fire));
        const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
        sd_event_source* raw = nullptr;
        // The accuracy lets the kernel put wake-ups together; nobody here needs less than a millisecond.
        const int r = sd_event_add_time_relative(event_.get(), &raw, CLOCK_BOOTTIME,
                                                 usec > 0 ? static_cast<std::uint64_t>(usec) : 0, 1000,
                                                 on_time, source.get());
        if (r < 0) return fail_errno(ErrorCode::kInternal, -r, "cannot set a timer");
        source->own(raw);
        return SourcePtr(std::move(source));
    }

    Result<SourcePtr> add_signal(int signo, std::function<void()> fire) override {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signo);
        if (const int err = pthread_sigmask(SIG_BLOCK, &set, nullptr); err != 0)
            return fail_errno(ErrorCode::kInternal, err, "cannot block a signal");
        auto source = std::make_unique<PlainSource>(std::move(fire));
        sd_event_source* raw = nullptr;
        if (const int r = sd_event_add_signal(event_.get(), &raw, signo, on_signal, source.get()); r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot watch a signal");
        source->own(raw);
        return SourcePtr(std::move(source));
    }

    Result<SourcePtr> add_process(pid_t pid, std::function<void(int, int)> exited) override {
        Fd pidfd = open_pidfd(pid);
        if (!pidfd) return fail_errno(ErrorCode::kIo, errno, "cannot watch process " + std::to_string(pid));
        auto source = std::make_unique<ProcessSource>(pidfd.get(), std::move(exited));
        sd_event_source* raw = nullptr;
        if (const int r = sd_event_add_io(event_.get(), &raw, pidfd.get(), EPOLLIN, on_process, source.get());
            r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot watch process " + std::to_string(pid));
        source->own(raw);
        sd_event_source_set_io_fd_own(raw, 1);
        static_cast<void>(pidfd.release());
        return SourcePtr(std::move(source));
    }

    void post(std::function<void()> call) override {
        posted_.push_back(std::move(call));
        if (posted_.size() == 1) arm_posted();
    }

    int run() override {
        const int r = sd_event_loop(event_.get());
        return r < 0 ? 1 : r;
    }
    void quit(int code) override { sd_event_exit(event_.get(), code); }
    sd_event* native() override { return event_.get(); }

  private:
    // One deferred event for the whole queue: sd-event does not promise an order between several.
    void arm_posted() {
        if (posted_source_) {
            sd_event_source_set_enabled(posted_source_.get(), SD_EVENT_ONESHOT);
            return;
        }
        sd_event_source* raw = nullptr;
        if (sd_event_add_defer(event_.get(), &raw, on_posted, this) >= 0) posted_source_.reset(raw);
    }
    static int on_posted(sd_event_source*, void* data) {
        static_cast<SdEventLoop*>(data)->run_posted();
        return 0;
    }
    // What is posted meanwhile waits for the next turn, so that posting from a posted call cannot starve the
    // rest.
    void run_posted() noexcept {
        std::deque<std::function<void()>> calls;
        calls.swap(posted_);
        for (auto& call : calls) {
            call();
            call = nullptr;
        }
    }

    EventPtr event_;
    std::deque<std::function<void()>> posted_;
    EventSourcePtr posted_source_;
};

} // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    sd_event* raw = nullptr;
    if (const int r = sd_event_new(&raw); r < 0)
        return fail_errno(ErrorCode::kInternal, -r, "cannot make an event loop");
    return std::unique_ptr<EventLoop>(std::make_unique<SdEventLoop>(EventPtr(raw)));
}

} // namespace wgd::loop
