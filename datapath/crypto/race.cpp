// SPDX-License-Identifier: MIT
#include "datapath/crypto/race.hpp"

#include <algorithm>
#include <vector>

namespace wgd::crypto {

std::size_t fastest_of(std::span<const TimedRun> runs, int rounds) {
    using std::chrono::nanoseconds;
    std::vector<nanoseconds> best(runs.size(), nanoseconds::max());
    const auto leader = [&] { return std::min_element(best.begin(), best.end()); };
    const auto clearly_ahead = [&] {
        const auto first = leader();
        for (auto other = best.begin(); other != best.end(); ++other)
            if (other != first && *other / 2 < *first) return false;
        return true;
    };
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < runs.size(); ++i)
            best[i] = std::min(best[i], runs[i]());
        if (round > 0 && clearly_ahead()) break;
    }
    return static_cast<std::size_t>(leader() - best.begin());
}

} // namespace wgd::crypto
