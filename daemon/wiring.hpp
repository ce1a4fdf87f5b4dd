// SPDX-License-Identifier: MIT
// The wiring diagram of wgd: which adapter stands behind which port, and in which order things begin and end.
#pragma once

#include <functional>
#include <memory>

#include "daemon/ports/ports.hpp"
#include "daemon/startup.hpp"

namespace wgd {

// Puts something between control and the real executor. Only test programs do: a program that dies at the
// n-th operation is another program, not an option of this one.
using ExecutorWrapper = std::function<std::unique_ptr<ports::Executor>(ports::Executor& real)>;

// Runs the daemon until a signal ends it; the exit status. What fails before it serves is logged.
int run_daemon(const StartupOptions& options, control::Settings settings, const ExecutorWrapper& wrap = {});

// main() of wgd and of the test programs: command line, protection, settings, run_daemon().
int daemon_main(int argc, char** argv, const ExecutorWrapper& wrap = {});

} // namespace wgd
