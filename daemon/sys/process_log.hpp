// SPDX-License-Identifier: MIT
// ProcessLog: what a datapath process writes to its standard error, line by line in our log.
//
// The process outlives us, so this is no pipe of ours but a FIFO in the runtime directory that the process
// holds open for reading and writing (fifo(7)): it never gets SIGPIPE when we are gone, and, being
// non-blocking, it loses lines rather than time when nobody reads. The next wgd opens the FIFO again and
// finds what was written meanwhile.
#pragma once

#include <memory>
#include <string>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "daemon/loop/event_loop.hpp"

namespace wgd::sys {

class ProcessLog {
  public:
    // A new FIFO in place of an old one. `writer` is what the process is given as its standard error.
    static Result<ProcessLog> create(loop::EventLoop& loop, const std::string& path,
                                     const std::string& prefix, Fd& writer);
    // The FIFO of a process that runs already. kNotFound.
    static Result<ProcessLog> reopen(loop::EventLoop& loop, const std::string& path,
                                     const std::string& prefix);

    // Reads what is there now. Then the last lines written, joined by "; ", for an error message; may be
    // empty.
    std::string last_words();

  private:
    struct State;
    explicit ProcessLog(std::shared_ptr<State> state)
        : state_(std::move(state)) {}
    static Result<ProcessLog> attach(loop::EventLoop& loop, const std::string& path,
                                     const std::string& prefix);
    std::shared_ptr<State> state_;
};

} // namespace wgd::sys
