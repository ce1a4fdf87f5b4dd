// SPDX-License-Identifier: MIT
// ThreadResolver: getaddrinfo(3) on worker threads, answers on the loop's thread. Numeric endpoints are
// answered before resolve() returns and need no thread.
//
// getaddrinfo cannot be interrupted: a cancelled look-up runs to its end and its answer is dropped. Threads
// end when there is nothing to do, never hold up the end of the program, and touch nothing but the state they
// share.
#pragma once

#include <memory>

#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class ThreadResolver final : public ports::Resolver {
  public:
    // Called on a worker thread: addresses of "host" or "host%scope", in the order to try them; the port is
    // 0.
    using Lookup = std::function<Result<std::vector<Endpoint>>(const std::string& host)>;
    struct Options {
        unsigned max_threads = 4;
        std::size_t max_waiting = 256; // further queries fail at once
        Lookup lookup;                 // empty: getaddrinfo
    };

    static Result<std::unique_ptr<ThreadResolver>> create(loop::EventLoop& loop, Options options);
    static Result<std::unique_ptr<ThreadResolver>> create(loop::EventLoop& loop) { return create(loop, {}); }
    ~ThreadResolver() override;

    // The path is the system's own, whatever is asked for.
    std::unique_ptr<Query> resolve(const EndpointSpec& endpoint, const ports::LookupPath& path,
                                   Answer done) override;

  private:
    struct Shared;  // with the threads, behind a mutex
    struct Waiting; // on the loop's thread only
    struct Handle;
    explicit ThreadResolver(Options options);
    void deliver();

    Options options_;
    std::shared_ptr<Shared> shared_;
    std::shared_ptr<Waiting> waiting_;
    loop::SourcePtr source_;
};

} // namespace wgd::sys
