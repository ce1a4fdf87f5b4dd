// SPDX-License-Identifier: MIT
// The ports that control works through, in one place. None is owned; all outlive control.
#pragma once

#include "common/base/time.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

struct Ports {
    ports::SystemReader& reader;
    ports::Executor& executor;
    ports::ProfileStore& profiles;
    ports::Journal& journal;
    ports::Resolver& resolver;
    ports::BackendProbe& backends;
    ports::Monitor& monitor;
    ports::PathProber& paths;
    ports::Timers& timers;
    const Clock& clock; // its now() is the timers' now()
};

} // namespace wgd::control
