// SPDX-License-Identifier: MIT
#include "daemon/sys/timers.hpp"

#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

struct LoopTimer final : ports::Timers::Timer {
    explicit LoopTimer(loop::SourcePtr owned)
        : source(std::move(owned)) {}
    loop::SourcePtr source;
};

} // namespace

std::unique_ptr<ports::Timers::Timer> LoopTimers::after(Duration delay, std::function<void()> fire) {
    auto source = loop_.add_timer(delay, std::move(fire));
    // Fails for want of memory or descriptors only; the caller then has a timer that never fires.
    if (!source) log::error("{}", source.error().message);
    return std::make_unique<LoopTimer>(source ? std::move(*source) : nullptr);
}

} // namespace wgd::sys
