// SPDX-License-Identifier: MIT
// Several threads on one source: reading is exclusive (ThreadSanitizer sees the plain variables), batches are
// worked on side by side, and what comes out is in the order it went in.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <sys/eventfd.h>
#include <thread>
#include <vector>

#include "datapath/crypto/aead.hpp"
#include "datapath/io/crew.hpp"
#include "datapath/io/duty.hpp"
#include "datapath/wg/engine.hpp"
#include "tests/sim/world.hpp"

using namespace wgd;

TEST_CASE("a lane's batches leave in the order they were read") {
    io::Lane lane;
    constexpr unsigned kBatches = 20'000, kThreads = 4;
    unsigned next = 0;             // read exclusively
    std::vector<unsigned> written; // so is this
    written.reserve(kBatches);
    std::atomic<unsigned> inside{0}, most{0};
    const auto work = [&] {
        for (;;) {
            io::Lane::Pass pass(lane);
            if (next == kBatches) return; // reading ends with the pass
            const unsigned batch = next++;
            pass.done_reading();
            const unsigned now_inside = ++inside;
            unsigned seen = most;
            while (now_inside > seen && !most.compare_exchange_weak(seen, now_inside)) {
            }
            if (batch % 7 == 0) std::this_thread::yield(); // let others overtake, if they could
            --inside;
            pass.begin_writing();
            pass.begin_writing();
            written.push_back(batch);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back(work);
    for (std::thread& thread : threads)
        thread.join();
    REQUIRE(written.size() == kBatches);
    for (unsigned i = 0; i < kBatches; ++i)
        REQUIRE(written[i] == i);
    CHECK(most >= 1);
}

namespace {

// Sits at home on an eventfd that counts batches; each batch takes one.
class CountingWorker {
  public:
    CountingWorker(io::Crew& crew, std::size_t number, std::atomic<unsigned>& left,
                   std::atomic<unsigned>& done)
        : crew_(&crew)
        , number_(number)
        , left_(&left)
        , done_(&done) {}
    io::Found batch(std::size_t lane) {
        io::Lane::Pass pass(crew_->lane(lane));
        unsigned left = left_->load();
        if (left == 0) return io::Found::kNothing;
        left_->store(left - 1); // nobody else reads meanwhile
        pass.done_reading();
        crew_->call_to(lane, number_);
        std::this_thread::yield();
        ++batches;
        ++*done_;
        return io::Found::kFull;
    }
    static void quiet(std::size_t) {}
    static bool alive() { return true; }

    std::atomic<unsigned> batches{0};

  private:
    io::Crew* crew_;
    std::size_t number_;
    std::atomic<unsigned>* left_;
    std::atomic<unsigned>* done_;
};

} // namespace

TEST_CASE("a sleeping worker is called to a full lane, and all end when told to") {
    auto crew = io::Crew::make(3, 1);
    REQUIRE(crew);
    const Fd source(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    sim::SeededRandom random(1);
    const auto aead = crypto::make_aead(crypto::AeadBackend::kSodium);
    wg::Engine engine({&random, aead.get(), {}});
    io::SharedState shared;
    std::atomic<unsigned> left{0}, done{0};
    std::vector<std::unique_ptr<CountingWorker>> workers;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 3; ++i)
        workers.push_back(std::make_unique<CountingWorker>(**crew, i, left, done));
    io::Duty duty(source.get(), {}, {(*crew)->epoll(0), 0}); // the first is at home there
    duty.give_to(io::Duty::Who::kWorker);
    for (std::size_t i = 0; i < 3; ++i)
        threads.emplace_back([&, i] {
            wg::DataThread ticket = engine.data_path().attach(*aead);
            (*crew)->run(i, *workers[i], ticket, shared);
        });

    unsigned put = 0;
    // Work comes in until both helpers have done some, which depends on the scheduler.
    while (workers[1]->batches == 0 || workers[2]->batches == 0) {
        left = 1000;
        put += 1000;
        const std::uint64_t one = 1;
        REQUIRE(::write(source.get(), &one, sizeof one) == sizeof one);
        while (done < put)
            std::this_thread::yield();
        std::uint64_t count = 0;
        REQUIRE(::read(source.get(), &count, sizeof count) == sizeof count);
    }
    CHECK(workers[0]->batches + workers[1]->batches + workers[2]->batches == put);
    shared.stop = true;
    (*crew)->wake();
    for (std::thread& thread : threads)
        thread.join();
}
