// SPDX-License-Identifier: MIT
// Starting a program: in a session of its own (no signal of our terminal reaches it), with no signal blocked
// or ignored (we block those that the loop reads), none of our descriptors and none of our environment.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/result.hpp"

namespace wgd::sys {

struct Child {
    std::string program;                  // absolute path
    std::vector<std::string> arguments;   // without the program's name
    std::vector<std::string> environment; // "NAME=value", beside PATH and LC_ALL
    int input = -1;                       // its standard input; -1: /dev/null
    int output = -1;                      // its standard output and error
};

// Its process number; the caller reaps it. kBackend with errno: it could not be started.
Result<pid_t> spawn(Child child);

} // namespace wgd::sys
