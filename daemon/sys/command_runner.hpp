// SPDX-License-Identifier: MIT
// CommandRunner: runs a program of somebody else's (a profile's hook, resolvconf) without stopping the loop:
// an environment of our own making, no open descriptor of ours, a session of its own, a time limit; its
// output is logged, and the end of it kept for the error message.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "daemon/loop/event_loop.hpp"

namespace wgd::sys {

struct Command {
    std::string label;                    // for the log: "PostUp of home"
    std::string program;                  // absolute path
    std::vector<std::string> arguments;   // without the program's name
    std::vector<std::string> environment; // beside PATH, LC_ALL and HOME: "NAME=value"
    std::string input;                    // its standard input
    Duration time_limit = std::chrono::seconds(60);
    // Starts it where it is to be: calls `start` on a thread that is there (another network namespace).
    // Empty: here.
    std::function<Result<void>(const std::function<Result<void>()>& start)> enter;
};

// A hook as wg-quick(8) runs it: bash with errexit and pipefail, $INTERFACE and $CONFIG_FILE set.
Command hook_command(const std::string& label, const std::string& text, const std::string& interface,
                     const std::string& config_file, Duration time_limit);

class CommandRunner {
  public:
    // A running command. Destroying it kills the command and all of its session; `finished` is then not
    // called.
    struct Run {
        virtual ~Run() = default;
        virtual void interrupt() = 0; // kills the session; `finished` is called with an error
    };
    using Finished = std::function<void(Result<void>)>;

    explicit CommandRunner(loop::EventLoop& loop)
        : loop_(loop) {}

    // `finished` is called from the loop, never from within. kBackend: it could not be started, failed (with
    // its status and the last lines it wrote) or ran into the time limit. A process that it leaves behind in
    // the background is not waited for.
    std::unique_ptr<Run> run(const Command& command, Finished finished);

  private:
    loop::EventLoop& loop_;
};

} // namespace wgd::sys
