// SPDX-License-Identifier: MIT
#include "tests/netns/sys/loop_runner.hpp"

#include <systemd/sd-event.h>

namespace wgd::test {

void LoopRunner::turn() {
    REQUIRE(sd_event_run(loop_->native(), UINT64_MAX) >= 0);
}

} // namespace wgd::test
