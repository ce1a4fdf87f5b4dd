// SPDX-License-Identifier: MIT
#include "datapath/crypto/race.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace wgd::crypto;
using std::chrono::nanoseconds;

namespace {

// Takes `usual`, but `disturbed` in its first `bad` runs.
struct Runner {
    nanoseconds usual, disturbed;
    int bad = 0;
    int runs = 0;
    TimedRun timed() {
        return [this] { return runs++ < bad ? disturbed : usual; };
    }
};

std::size_t race(Runner& a, Runner& b, int rounds) {
    const std::array<TimedRun, 2> runs{a.timed(), b.timed()};
    return fastest_of(runs, rounds);
}

} // namespace

TEST_CASE("a clear lead ends the race after the second round") {
    Runner fast{nanoseconds(5000), nanoseconds(20000), 1};
    Runner slow{nanoseconds(15000), nanoseconds(15000)};
    CHECK(race(fast, slow, 100) == 0);
    CHECK(fast.runs == 2);
    CHECK(slow.runs == 2);
}

TEST_CASE("the faster one wins though the machine disturbs it for long") {
    Runner slow{nanoseconds(15000), nanoseconds(15000)};
    Runner fast{nanoseconds(5000), nanoseconds(20000), 60};
    CHECK(race(slow, fast, 100) == 1);
    CHECK(fast.runs == 61);
}

TEST_CASE("without a clear lead all rounds are run") {
    Runner good{nanoseconds(9000), nanoseconds(9000)};
    Runner better{nanoseconds(8000), nanoseconds(12000), 10};
    CHECK(race(good, better, 100) == 1);
    CHECK(better.runs == 100); // too close to end early
}

TEST_CASE("one alone wins") {
    Runner only{nanoseconds(9000), nanoseconds(9000)};
    const std::array<TimedRun, 1> runs{only.timed()};
    CHECK(fastest_of(runs, 10) == 0);
}
