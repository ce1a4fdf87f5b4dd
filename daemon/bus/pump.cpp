// SPDX-License-Identifier: MIT
#include "daemon/bus/pump.hpp"

#include <cstdint>
#include <exception>
#include <sdbus-c++/sdbus-c++.h>
#include <systemd/sd-event.h>
#include <utility>

namespace wgd::bus {
namespace {

struct SourceUnref {
    void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using Source = std::unique_ptr<sd_event_source, SourceUnref>;

class LoopPump : public Pump {
  public:
    LoopPump(sdbus::IConnection& connection, std::function<void(const std::string&)> lost)
        : connection_(connection)
        , lost_(std::move(lost)) {}

    Result<void> attach(sd_event* loop) {
        const int fd = connection_.getEventLoopPollData().fd;
        sd_event_source* source = nullptr;
        if (const int r = sd_event_add_io(loop, &source, fd, 0, on_io, this); r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot watch the bus connection");
        io_.reset(source);
        if (const int r = sd_event_add_time(loop, &source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_time, this);
            r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot watch the bus connection's timeout");
        timer_.reset(source);
        sd_event_source_set_enabled(timer_.get(), SD_EVENT_OFF);
        if (const int r = sd_event_source_set_prepare(io_.get(), on_prepare); r < 0)
            return fail_errno(ErrorCode::kInternal, -r, "cannot prepare the bus connection");
        return {};
    }

  private:
    // C callbacks: nothing may be thrown through sd-event.
    static int on_prepare(sd_event_source*, void* self) {
        static_cast<LoopPump*>(self)->prepare();
        return 0;
    }
    static int on_io(sd_event_source*, int, std::uint32_t, void* self) {
        static_cast<LoopPump*>(self)->process();
        return 0;
    }
    static int on_time(sd_event_source*, std::uint64_t, void* self) {
        static_cast<LoopPump*>(self)->process();
        return 0;
    }

    void prepare() noexcept {
        try {
            const auto wanted = connection_.getEventLoopPollData();
            // poll(2) and epoll(7) agree on POLLIN and POLLOUT, the only bits sd-bus asks for.
            sd_event_source_set_io_events(io_.get(), static_cast<std::uint32_t>(wanted.events));
            if (wanted.timeout_usec == UINT64_MAX) {
                sd_event_source_set_enabled(timer_.get(), SD_EVENT_OFF);
            } else {
                sd_event_source_set_time(timer_.get(),
                                         wanted.timeout_usec); // absolute; the past means at once
                sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
            }
        } catch (const std::exception& error) {
            lose(error.what());
        }
    }

    void process() noexcept {
        try {
            for (int i = 0; i < kMessagesPerTurn && connection_.processPendingRequest(); ++i) {
            }
        } catch (const std::exception& error) {
            lose(error.what());
        }
    }

    void lose(const char* reason) noexcept {
        sd_event_source_set_enabled(io_.get(), SD_EVENT_OFF);
        sd_event_source_set_enabled(timer_.get(), SD_EVENT_OFF);
        if (auto lost = std::exchange(lost_, nullptr)) lost(reason);
    }

    sdbus::IConnection& connection_;
    std::function<void(const std::string&)> lost_;
    Source io_;
    Source timer_;
};

} // namespace

Result<std::unique_ptr<Pump>> Pump::create(sd_event* loop, sdbus::IConnection& connection,
                                           std::function<void(const std::string& reason)> lost) {
    try {
        auto pump = std::make_unique<LoopPump>(connection, std::move(lost));
        WGD_TRY(pump->attach(loop));
        return std::unique_ptr<Pump>(std::move(pump));
    } catch (const sdbus::Error& error) {
        return fail(ErrorCode::kIo, error.getMessage());
    }
}

} // namespace wgd::bus
