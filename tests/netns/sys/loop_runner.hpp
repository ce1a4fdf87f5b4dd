// SPDX-License-Identifier: MIT
// LoopRunner: an event loop for a test, run until something is true. Waits for events, with a time limit that
// fails the test.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <optional>

#include "daemon/loop/event_loop.hpp"

namespace wgd::test {

class LoopRunner {
  public:
    LoopRunner()
        : loop_(std::move(loop::EventLoop::create()).value()) {}
    loop::EventLoop& loop() { return *loop_; }

    // Runs the loop until `reached` says so after some event.
    void until(const std::function<bool()>& reached, Duration limit = std::chrono::seconds(20)) {
        bool late = false;
        auto timer = loop_->add_timer(limit, [&] { late = true; });
        while (!reached() && !late)
            turn();
        CHECK_FALSE(late);
    }
    // Starts something that takes a completion, and runs the loop until it is called.
    Result<void> finish(const std::function<void(std::function<void(Result<void>)>)>& start) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        start([answer](Result<void> result) { *answer = std::move(result); });
        until([&] { return answer->has_value(); });
        if (!answer->has_value()) return fail(ErrorCode::kTimeout, "no answer");
        return std::move(**answer);
    }
    void turn();
    // One turn, or less if nothing happens within the time.
    void turn_for(std::chrono::microseconds limit);

  private:
    std::unique_ptr<loop::EventLoop> loop_;
};

} // namespace wgd::test
