// SPDX-License-Identifier: MIT
// Exit codes of wgctl, documented in wgctl(1). Scripts rely on them: never renumber. Under the name `wg` only
// 0 and 1 are used, as wg(8) does.
#pragma once

#include <string>

#include "common/base/result.hpp"

namespace wgd::cli {

enum ExitCode : int {
    kOk = 0,
    kFailed = 1,      // it was tried and did not work
    kUsage = 2,       // the command line makes no sense
    kNoDaemon = 3,    // wgd or the system bus is not there
    kDenied = 4,      // not authorized
    kBadProfile = 5,  // the profile has errors, or its file cannot be trusted
    kNotFound = 6,    // no such profile, tunnel or interface
    kInTheWay = 7,    // a conflict with something that is not ours, or another operation is under way
    kSignalled = 128, // plus the signal's number: interrupted by it, and undone
};

// What makes a command fail: the code for scripts, the sentence for people.
struct CommandError {
    ExitCode exit = kFailed;
    std::string code; // word for --json: "not-found", "no-daemon"
    std::string message;
};
template <class T>
using Outcome = tl::expected<T, CommandError>;

ExitCode exit_code(ErrorCode code);
CommandError to_command_error(const Error& error);

} // namespace wgd::cli
