// SPDX-License-Identifier: MIT
// The window against one that remembers everything.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "datapath/wg/replay_window.hpp"

using wgd::wg::ReplayWindow;

namespace {

class StupidWindow {
  public:
    bool accept(std::uint64_t counter) {
        if (counter < greatest_ && greatest_ - counter >= ReplayWindow::kSize) return false;
        greatest_ = std::max(greatest_, counter);
        return seen_.insert(counter).second;
    }

  private:
    std::uint64_t greatest_ = 0;
    std::set<std::uint64_t> seen_;
};

} // namespace

TEST_CASE("a window holds exactly 8192 counters", "[replay]") {
    auto window = std::make_unique<ReplayWindow>();
    CHECK(window->accept(0));
    CHECK_FALSE(window->accept(0));
    CHECK(window->accept(1));
    CHECK(window->accept(9000));
    CHECK_FALSE(window->accept(9000 - 8192));
    CHECK(window->accept(9000 - 8191));
    CHECK_FALSE(window->accept(9000 - 8191));
    CHECK_FALSE(window->accept(9000));
    CHECK(window->accept(8999));
}

TEST_CASE("the largest counter there is", "[replay]") {
    auto window = std::make_unique<ReplayWindow>();
    const std::uint64_t last = UINT64_MAX - (1u << 13) - 1;
    CHECK(window->accept(5));
    CHECK(window->accept(last));
    CHECK_FALSE(window->accept(last));
    CHECK(window->accept(last - 1));
    CHECK_FALSE(window->accept(5));
    CHECK_FALSE(window->accept(6));
}

TEST_CASE("window and stupid window agree on reordered, repeated and leaping counters", "[replay]") {
    for (unsigned seed = 0; seed < 40; ++seed) {
        std::mt19937_64 random(seed);
        auto window = std::make_unique<ReplayWindow>();
        StupidWindow stupid;
        std::uint64_t base = 0;
        for (int i = 0; i < 30000; ++i) {
            switch (random() % 8) {
            case 0:
                base += random() % 20000;
                break; // a leap
            case 1:
                base -= std::min<std::uint64_t>(base, random() % 300);
                break;
            default:
                base += random() % 3;
                break;
            }
            std::uint64_t counter = base;
            if (random() % 4 == 0)
                counter -= std::min<std::uint64_t>(counter, random() % 8400); // around the edge
            INFO("seed " << seed << " step " << i << " counter " << counter);
            REQUIRE(window->accept(counter) == stupid.accept(counter));
        }
    }
}

TEST_CASE("several threads accept every counter once between them", "[replay]") {
    auto window = std::make_unique<ReplayWindow>();
    constexpr std::uint64_t kCounters = 200000;
    std::vector<std::vector<std::uint64_t>> accepted(3);
    std::vector<std::thread> threads;
    for (auto& mine : accepted)
        threads.emplace_back([&window, &mine] {
            for (std::uint64_t counter = 0; counter < kCounters; ++counter)
                if (window->accept(counter)) mine.push_back(counter);
        });
    for (std::thread& thread : threads)
        thread.join();
    std::vector<std::uint64_t> all;
    for (const auto& mine : accepted)
        all.insert(all.end(), mine.begin(), mine.end());
    std::sort(all.begin(), all.end());
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
    // Whoever is not 8192 behind gets in: at least the fastest thread's counters, hence all of them.
    CHECK(all.size() == kCounters);
}
