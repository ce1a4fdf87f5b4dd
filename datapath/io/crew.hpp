// SPDX-License-Identifier: MIT
// Crew: the threads of one direction and what they share, so that several may work on one source of packets
// and its packets still leave in the order they came.
//
// A source (a TUN queue, a socket) is a Lane. Who works on a lane passes through it in three steps: read a
// batch, alone; work on it, together with others; write it, alone and in the order of reading. There is no
// lock: a ticket gives the order, and a thread waits only for one that came before it.
//
// Every worker sleeps on its own lanes, its home. One that has read as much as a batch holds, so that more is
// probably waiting, calls a sleeping worker to the lane: idle cores come to help and nobody is woken for a
// lone packet.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <utility>
#include <vector>

#include "common/base/result.hpp"
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

    // --- workers ---
    // The life of worker `self`, until shared.stop is set and wake() was called, or worker.alive() is false.
    // Worker: Found batch(lane), one batch of that lane; span<const pollfd> sources(), what its home lanes
    // read from; bool alive(span<const pollfd>), asked after each sleep with what poll(2) said.
    template <class Worker>
    void run(std::size_t self, std::span<const std::size_t> home, Worker& worker, wg::DataThread& thread,
             const SharedState& shared) {
        const auto stopped = [&] { return shared.stop.load(std::memory_order_relaxed); };
        const auto work_at_home = [&] {
            Found most = Found::kNothing;
            for (std::size_t lane : home)
                most = std::max(most, worker.batch(lane));
            return most;
        };
        thread.online();
        while (!stopped()) {
            if (work_at_home() >= Found::kSome) {
                thread.quiescent();
                continue;
            }
            thread.offline();
            const std::optional<std::size_t> called = sleep(self, worker.sources());
            if (!worker.alive(polled_of(self))) break;
            thread.online();
            while (called && !stopped() && worker.batch(*called) == Found::kFull) {
                (void)work_at_home();
                thread.quiescent();
            }
        }
        thread.offline();
    }
    // Worker `self` found more on `lane` than it can do alone.
    void call_to(std::size_t lane, std::size_t self);

    // --- any thread ---
    void wake(); // everybody: look at the sources again, and whether to stop
    // As wake(), and returns when nobody sleeps on what its sources were before: a socket that was replaced
    // keeps its port as long as somebody polls it. The workers must be running.
    void wake_and_wait();

  private:
    static constexpr int kAwake = -1, kAsleep = -2;
    struct alignas(64) Worker {
        explicit Worker(Event event)
            : wake(std::move(event)) {}
        Event wake;
        std::atomic<int> state{kAwake};       // or the lane it is called to
        std::atomic<std::uint32_t> sleeps{0}; // that ended
        std::vector<pollfd> polled;           // its own
    };

    Crew(std::vector<std::unique_ptr<Worker>> workers, std::size_t lanes)
        : workers_(std::move(workers))
        , lanes_(std::make_unique<Lane[]>(lanes)) {}
    // Until a source is readable or somebody called. Returns the lane it was called to.
    std::optional<std::size_t> sleep(std::size_t self, std::span<const pollfd> sources);
    [[nodiscard]] std::span<const pollfd> polled_of(std::size_t self) const {
        const std::vector<pollfd>& polled = workers_[self]->polled;
        return std::span(polled).first(polled.size() - 1);
    }

    std::vector<std::unique_ptr<Worker>> workers_;
    std::unique_ptr<Lane[]> lanes_;
};

} // namespace wgd::io
