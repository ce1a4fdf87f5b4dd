// SPDX-License-Identifier: MIT
#include "daemon/sys/time_watch.hpp"

#include <cerrno>
#include <ctime>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/base/fd.hpp"
#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

constexpr Duration kRejoinTime = std::chrono::seconds(5);

struct BusDeleter {
    void operator()(sd_bus* bus) const {
        sd_bus_detach_event(bus);
        sd_bus_close_unref(bus);
    }
};
struct SlotDeleter {
    void operator()(sd_bus_slot* slot) const { sd_bus_slot_unref(slot); }
};

Duration clock_value(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// CLOCK_BOOTTIME goes on during a suspend and CLOCK_MONOTONIC does not: the difference is the time slept.
Duration time_slept() {
    return clock_value(CLOCK_BOOTTIME) - clock_value(CLOCK_MONOTONIC);
}

class LinuxTimeWatch final : public TimeWatch {
  public:
    LinuxTimeWatch(loop::EventLoop& loop, std::function<void(const std::string&)> passed)
        : loop_(loop)
        , passed_(std::move(passed))
        , slept_(time_slept()) {}

    Result<void> open() {
        timer_ = Fd(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
        if (timer_.get() < 0) return fail_errno(ErrorCode::kInternal, errno, "cannot make a timer");
        WGD_TRY(arm());
        auto source = loop_.add_fd(timer_.get(), EPOLLIN, [this](std::uint32_t) { clock_was_set(); });
        WGD_TRY(source);
        timer_source_ = std::move(*source);
        join_bus();
        return {};
    }

  private:
    // Far away: it is not to expire, but to be cancelled.
    Result<void> arm() {
        itimerspec never{};
        never.it_value.tv_sec = std::numeric_limits<std::int32_t>::max();
        if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) !=
                0 &&
            errno != ECANCELED)
            return fail_errno(ErrorCode::kInternal, errno, "cannot watch the clock");
        return {};
    }

    void clock_was_set() {
        std::uint64_t count = 0;
        const ssize_t n = ::read(timer_.get(), &count, sizeof count);
        if (n >= 0 || errno != ECANCELED) return;
        if (const auto armed = arm(); !armed) log::warning("{}", armed.error().message);
        const Duration slept = time_slept();
        const bool suspended = slept - slept_ > std::chrono::seconds(1);
        slept_ = slept;
        report(suspended ? "the machine was suspended" : "the clock was set");
    }

    void join_bus() {
        sd_bus* bus = nullptr;
        if (const int r = sd_bus_open_system(&bus); r < 0) return no_logind(r);
        bus_.reset(bus);
        // Neither is waited for: the answer to the match comes, or the connection ends.
        sd_bus_slot* slot = nullptr;
        if (const int r = sd_bus_match_signal_async(
                bus, &slot, "org.freedesktop.login1", "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager", "PrepareForSleep", on_sleep, nullptr, this);
            r < 0)
            return no_logind(r);
        slot_.reset(slot);
        if (const int r = sd_bus_match_signal_async(bus, &slot, nullptr, "/org/freedesktop/DBus/Local",
                                                    "org.freedesktop.DBus.Local", "Disconnected", on_lost,
                                                    nullptr, this);
            r < 0)
            return no_logind(r);
        lost_slot_.reset(slot);
        if (const int r = sd_bus_attach_event(bus, loop_.native(), 0); r < 0) return no_logind(r);
    }

    void no_logind(int error) {
        log::debug("no news of suspends from logind: {}", std::generic_category().message(-error));
        leave_bus();
    }

    void leave_bus() {
        slot_.reset();
        lost_slot_.reset();
        bus_.reset();
    }

    // The bus was restarted. Without it, nobody could tell us anything either: there is no hurry.
    void rejoin_later() {
        auto rejoin = loop_.add_timer(kRejoinTime, [this] {
            leave_bus();
            join_bus();
            if (!bus_) rejoin_later();
        });
        if (rejoin) rejoin_ = std::move(*rejoin);
    }

    static int on_lost(sd_bus_message*, void* data, sd_bus_error*) noexcept {
        static_cast<LinuxTimeWatch*>(data)->rejoin_later();
        return 0;
    }

    // C callback: nothing may be thrown through sd-bus.
    static int on_sleep(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
        int begins = 1;
        if (sd_bus_message_read(message, "b", &begins) >= 0 && begins == 0)
            static_cast<LinuxTimeWatch*>(data)->report("the machine was suspended");
        return 0;
    }

    void report(const char* why) {
        if (quiet_) return;
        auto quiet = loop_.add_timer(kQuietTime, [this, why] {
            quiet_.reset();
            passed_(why);
        });
        if (quiet) quiet_ = std::move(*quiet);
    }

    loop::EventLoop& loop_;
    std::function<void(const std::string&)> passed_;
    Duration slept_;
    Fd timer_;
    loop::SourcePtr timer_source_;
    loop::SourcePtr quiet_;
    loop::SourcePtr rejoin_;
    std::unique_ptr<sd_bus, BusDeleter> bus_;
    std::unique_ptr<sd_bus_slot, SlotDeleter> slot_; // these go before the bus
    std::unique_ptr<sd_bus_slot, SlotDeleter> lost_slot_;
};

} // namespace

Result<std::unique_ptr<TimeWatch>> TimeWatch::create(loop::EventLoop& loop,
                                                     std::function<void(const std::string&)> passed) {
    auto watch = std::make_unique<LinuxTimeWatch>(loop, std::move(passed));
    WGD_TRY(watch->open());
    return std::unique_ptr<TimeWatch>(std::move(watch));
}

} // namespace wgd::sys
