// SPDX-License-Identifier: MIT
// Interruption: while it lives, SIGINT, SIGTERM and SIGHUP end nothing by themselves but can be waited for,
// so that what was asked of the daemon can be taken back first. One at a time; main thread.
#pragma once

#include <csignal>

#include "common/base/fd.hpp"

namespace wgd::cli {

class Interruption {
  public:
    Interruption(); // where that is not possible, they do what they always do
    ~Interruption();
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); } // readable: there was one. -1: cannot be waited for
    int take();                                        // its number; 0 for none

  private:
    sigset_t before_{};
    Fd fd_;
};

} // namespace wgd::cli
