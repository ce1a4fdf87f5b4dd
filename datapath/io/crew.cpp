// SPDX-License-Identifier: MIT
#include "datapath/io/crew.hpp"

#include <cassert>
#include <cerrno>
#include <sys/epoll.h>

namespace wgd::io {

Result<std::unique_ptr<Crew>> Crew::make(std::size_t workers, std::size_t lanes) {
    assert(lanes <= kMaxLanes);
    std::vector<std::unique_ptr<Worker>> made;
    for (std::size_t i = 0; i < workers; ++i) {
        Result<Event> event = Event::make();
        WGD_TRY(event);
        Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
        epoll_event interest{};
        interest.events = EPOLLIN;
        interest.data.u64 = kWake;
        if (!epoll || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event->fd(), &interest) < 0)
            return fail_errno(ErrorCode::kIo, errno, "cannot make an epoll descriptor");
        made.push_back(std::make_unique<Worker>(std::move(*event), std::move(epoll)));
    }
    return std::unique_ptr<Crew>(new Crew(std::move(made), lanes));
}

Crew::Rest Crew::sleep(std::size_t self) {
    Worker& worker = *workers_[self];
    worker.state.store(kAsleep);
    Rest rest;
    rest.lanes = look(self, -1);
    const int state = worker.state.exchange(kAwake);
    if (state >= 0) rest.called = static_cast<std::size_t>(state);
    return rest;
}

Crew::Lanes Crew::look(std::size_t self, int patience) {
    constexpr int kEvents = 8; // more stay for the next time
    Worker& worker = *workers_[self];
    epoll_event events[kEvents];
    const int count = ::epoll_wait(worker.epoll.get(), events, kEvents, patience); // EINTR: as if woken
    Lanes lanes = 0;
    for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == kWake)
            worker.wake.clear();
        else
            lanes |= Lanes{1} << events[i].data.u64;
    }
    return lanes;
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

void Crew::wake() {
    for (const auto& worker : workers_)
        worker->wake.ring();
}

} // namespace wgd::io
