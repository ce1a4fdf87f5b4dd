// SPDX-License-Identifier: MIT
// The bus face of the daemon over a FakeManager: what the scripts of this folder drive. Ends on SIGTERM. A
// line on standard output says "ready" once the name is taken; SIGUSR1 prints "alive", to show that the loop
// turns.
#include <csignal>
#include <cstdio>

#include "common/base/log.hpp"
#include "daemon/bus/bus_service.hpp"
#include "tests/bus/fake_manager.hpp"

int main() {
    using namespace wgd;
    log::set_sink(log::stderr_sink("fake-daemon"));
    log::set_level(log::Level::kDebug);
    auto event_loop = loop::EventLoop::create();
    if (!event_loop) return log::error("{}", event_loop.error().message), 1;
    auto& loop = **event_loop;
    const auto term = loop.add_signal(SIGTERM, [&] { loop.quit(0); });
    const auto usr1 = loop.add_signal(SIGUSR1, [] {
        std::puts("alive");
        std::fflush(stdout);
    });
    test::FakeManager manager(loop);
    auto service = bus::BusService::create(loop, manager);
    if (!service) return log::error("{}", service.error().message), 1;
    if (const auto named = (*service)->request_name(); !named)
        return log::error("{}", named.error().message), 2;
    std::puts("ready");
    std::fflush(stdout);
    return loop.run();
}
