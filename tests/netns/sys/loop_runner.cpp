// SPDX-License-Identifier: MIT
#include "tests/netns/sys/loop_runner.hpp"

#include <systemd/sd-event.h>

namespace wgd::test {

void LoopRunner::turn() {
    REQUIRE(sd_event_run(loop_->native(), UINT64_MAX) >= 0);
}

void LoopRunner::turn_for(std::chrono::microseconds limit) {
    REQUIRE(sd_event_run(loop_->native(), static_cast<std::uint64_t>(limit.count())) >= 0);
}

} // namespace wgd::test
