// SPDX-License-Identifier: MIT
// Crew: the threads of one direction and what they share, so that several may work on one source of packets
// and its packets still leave in the order they came.
//
// A source (a TUN queue, a socket) is a Lane. Who works on a lane passes through it in three steps: read a
// batch, alone; work on it, together with others; write it, alone and in the order of reading. There is no
// lock: a ticket gives the order, and a thread waits only for one that came before it.
//
// Every worker sleeps at an epoll set of its own, with those lanes of its home that it is on duty for
// (duty.hpp). One that has read as much as a batch holds, so that more is probably waiting, calls a sleeping
// worker to the lane: idle cores come to help and nobody is woken for a lone packet.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "datapath/io/data_thread.hpp"
#include "datapath/io/event.hpp"
#include "datapath/wg/datapath.hpp"

namespace wgd::io {

class Lane {
  public:
    // One batch's way through the lane. To be made before reading; its end is the end of writing.
    class Pass {
      public:
        explicit Pass(Lane& lane)
            : lane_(&lane)
            , ticket_(lane.tickets_.fetch_add(1, std::memory_order_relaxed)) {
            wait_for(lane.reading_, ticket_);
        }
        Pass(const Pass&) = delete;
        Pass& operator=(const Pass&) = delete;
        ~Pass() {
            done_reading();
            begin_writing();
            advance(lane_->writing_, ticket_);
        }
        void done_reading() {
            if (!std::exchange(has_read_, true)) advance(lane_->reading_, ticket_);
        }
        void begin_writing() { wait_for(lane_->writing_, ticket_); } // at once when called again

      private:
        Lane* lane_;
        std::uint32_t ticket_;
        bool has_read_ = false;
    };

  private:
    static void wait_for(const std::atomic<std::uint32_t>& turn, std::uint32_t ticket) {
        for (std::uint32_t now = turn.load(std::memory_order_acquire); now != ticket;
             now = turn.load(std::memory_order_acquire))
            turn.wait(now, std::memory_order_acquire);
    }
    static void advance(std::atomic<std::uint32_t>& turn, std::uint32_t ticket) {
        turn.store(ticket + 1, std::memory_order_release);
        turn.notify_all();
    }

    alignas(64) std::atomic<std::uint32_t> tickets_{0};
    alignas(64) std::atomic<std::uint32_t> reading_{0};
    alignas(64) std::atomic<std::uint32_t> writing_{0};
};

// What a worker found in a lane.
enum class Found : std::uint8_t {
    kNothing,
    kOne,  // a lone packet: most likely there is no other yet
    kSome, // asking again costs less than going to sleep
    kFull, // as much as fits a batch
};

class Crew {
  public:
    static Result<std::unique_ptr<Crew>> make(std::size_t workers, std::size_t lanes);

    [[nodiscard]] std::size_t workers() const { return workers_.size(); }
    [[nodiscard]] Lane& lane(std::size_t index) { return lanes_[index]; }

    // Where worker `self` waits; a lane is to be added there with its number as data.
    [[nodiscard]] int epoll(std::size_t self) const { return workers_[self]->epoll.get(); }

    // --- workers ---
    // The life of worker `self`, until shared.stop is set and wake() was called, or worker.alive() is false.
    // Worker: Found batch(lane), one batch of that lane; bool alive(), asked after every batch; quiet(lane):
    // that lane had no more than lone packets for kQuiet.
    template <class Worker>
    void run(std::size_t self, Worker& worker, wg::DataThread& thread, const SharedState& shared) {
        const auto stopped = [&] { return shared.stop.load(std::memory_order_relaxed); };
        Instant busy{}; // when there was last more than a lone packet
        Lanes lanes = 0;
        const auto work_at_home = [&](bool rested) {
            for (std::size_t lane = 0; lanes >> lane != 0; ++lane) {
                if ((lanes >> lane & 1) == 0) continue;
                const Found found = worker.batch(lane);
                if (found >= Found::kSome) {
                    busy = system_clock().now();
                    continue;
                }
                lanes &= ~(Lanes{1} << lane);
                if (rested && found == Found::kOne && system_clock().now() - busy > kQuiet)
                    worker.quiet(lane);
            }
        };
        while (!stopped() && worker.alive()) {
            const bool rested = lanes == 0;
            std::optional<std::size_t> called;
            if (rested) {
                thread.offline();
                const Rest rest = sleep(self);
                thread.online();
                lanes = rest.lanes;
                called = rest.called;
            }
            work_at_home(rested);
            while (called && !stopped() && worker.alive() && worker.batch(*called) == Found::kFull) {
                lanes |= look(self, 0);
                work_at_home(false);
                thread.quiescent();
            }
            thread.quiescent();
        }
        thread.offline();
    }
    // Worker `self` found more on `lane` than it can do alone.
    void call_to(std::size_t lane, std::size_t self);

    // --- any thread ---
    void wake(); // everybody: look whether to stop

    static constexpr Duration kQuiet = std::chrono::milliseconds(5);

  private:
    using Lanes = std::uint64_t; // one bit each
    static constexpr std::size_t kMaxLanes = 64;
    static constexpr std::uint64_t kWake = kMaxLanes; // tag of the worker's own event
    static constexpr int kAwake = -1, kAsleep = -2;
    struct alignas(64) Worker {
        Worker(Event event, Fd set)
            : wake(std::move(event))
            , epoll(std::move(set)) {}
        Event wake;
        Fd epoll;
        std::atomic<int> state{kAwake}; // or the lane it is called to
    };
    struct Rest {
        Lanes lanes = 0; // with something to read
        std::optional<std::size_t> called;
    };

    Crew(std::vector<std::unique_ptr<Worker>> workers, std::size_t lanes)
        : workers_(std::move(workers))
        , lanes_(std::make_unique<Lane[]>(lanes)) {}
    // Until a lane is readable or somebody called.
    Rest sleep(std::size_t self);
    // Lanes at hand, after at most `patience` (as of epoll_wait(2)).
    Lanes look(std::size_t self, int patience);

    std::vector<std::unique_ptr<Worker>> workers_;
    std::unique_ptr<Lane[]> lanes_;
};

} // namespace wgd::io
