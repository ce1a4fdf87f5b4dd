// SPDX-License-Identifier: MIT
#include "datapath/io/crew.hpp"

#include <cerrno>
#include <thread>

namespace wgd::io {

Result<std::unique_ptr<Crew>> Crew::make(std::size_t workers, std::size_t lanes) {
    std::vector<std::unique_ptr<Worker>> made;
    for (std::size_t i = 0; i < workers; ++i) {
        Result<Event> event = Event::make();
        WGD_TRY(event);
        made.push_back(std::make_unique<Worker>(std::move(*event)));
    }
    return std::unique_ptr<Crew>(new Crew(std::move(made), lanes));
}

std::optional<std::size_t> Crew::sleep(std::size_t self, std::span<const pollfd> sources) {
    Worker& worker = *workers_[self];
    worker.polled.assign(sources.begin(), sources.end());
    worker.polled.push_back({worker.wake.fd(), POLLIN, 0});
    worker.state.store(kAsleep);
    while (::poll(worker.polled.data(), worker.polled.size(), -1) < 0 && errno == EINTR) {
    }
    const int state = worker.state.exchange(kAwake);
    worker.sleeps.fetch_add(1);
    if ((worker.polled.back().revents & POLLIN) != 0) worker.wake.clear();
    return state >= 0 ? std::optional(static_cast<std::size_t>(state)) : std::nullopt;
}

void Crew::call_to(std::size_t lane, std::size_t self) {
    for (std::size_t i = 1; i < workers_.size(); ++i) {
        Worker& worker = *workers_[(self + i) % workers_.size()];
        int expected = kAsleep;
        if (worker.state.load(std::memory_order_relaxed) == kAsleep &&
            worker.state.compare_exchange_strong(expected, static_cast<int>(lane))) {
            worker.wake.ring();
            return;
        }
    }
}

void Crew::wake_and_wait() {
    for (const auto& worker : workers_) {
        const std::uint32_t sleeps = worker->sleeps.load();
        // Not asleep, or called awake just now: the next sleep begins with what the sources are then.
        if (worker->state.load() == kAwake) continue;
        worker->wake.ring();
        while (worker->sleeps.load() == sleeps)
            std::this_thread::yield();
    }
}

void Crew::wake() {
    for (const auto& worker : workers_)
        worker->wake.ring();
}

} // namespace wgd::io
