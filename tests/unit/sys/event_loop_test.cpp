// SPDX-License-Identifier: MIT
#include "daemon/loop/event_loop.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace wgd;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<loop::EventLoop> make_loop() {
    return std::move(loop::EventLoop::create()).value();
}

} // namespace

TEST_CASE("posted calls run in order, those they post in the next turn") {
    auto loop = make_loop();
    std::string order;
    loop->post([&] {
        order += 'a';
        loop->post([&] {
            order += 'c';
            loop->quit(7);
        });
    });
    loop->post([&] { order += 'b'; });
    CHECK(loop->run() == 7);
    CHECK(order == "abc");
}

TEST_CASE("a source may be destroyed in its own callback, and the callback goes on") {
    auto loop = make_loop();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    REQUIRE(::write(ends[1], "xx", 2) == 2);
    loop::SourcePtr source;
    int calls = 0;
    auto captured = std::make_shared<std::string>("still here");
    source =
        std::move(*loop->add_fd(ends[0], EPOLLIN, [&source, &calls, captured, &loop](std::uint32_t events) {
            CHECK((events & EPOLLIN) != 0);
            source.reset();
            ++calls;
            CHECK(*captured == "still here");
            loop->post([&loop] { loop->quit(0); });
        }));
    loop->run();
    CHECK(calls == 1); // the pipe is still readable: nobody is asked any more
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("timers fire once and in order; a destroyed one does not") {
    auto loop = make_loop();
    std::string order;
    auto late = loop->add_timer(30ms, [&] {
        order += 'b';
        loop->quit(0);
    });
    auto early = loop->add_timer(5ms, [&] { order += 'a'; });
    auto never = loop->add_timer(10ms, [&] { order += 'x'; });
    never->reset();
    auto past = loop->add_timer(-1s, [&] { order += '0'; });
    loop->run();
    CHECK(order == "0ab");
}

TEST_CASE("signals and the end of processes are events") {
    auto loop = make_loop();
    int hups = 0;
    auto signal = loop->add_signal(SIGHUP, [&] { ++hups; });
    REQUIRE(signal);
    ::raise(SIGHUP);

    const pid_t child = ::fork();
    if (child == 0) ::_exit(3);
    int code = -1;
    int status = -1;
    auto process = loop->add_process(child, [&](int how, int what) {
        code = how;
        status = what;
        loop->quit(0);
    });
    REQUIRE(process);
    loop->run();
    CHECK(hups == 1);
    CHECK(code == CLD_EXITED);
    CHECK(status == 3);
    CHECK(::waitpid(child, nullptr, 0) == -1); // reaped

    signal->reset();
    loop = make_loop(); // one that was quit does not run again
    const pid_t killed = ::fork();
    if (killed == 0)
        for (;;)
            ::pause();
    auto second = loop->add_process(killed, [&](int how, int what) {
        code = how;
        status = what;
        loop->quit(0);
    });
    ::kill(killed, SIGKILL);
    loop->run();
    CHECK(code == CLD_KILLED);
    CHECK(status == SIGKILL);
    CHECK_FALSE(loop->add_process(killed, [](int, int) {})); // gone
}
