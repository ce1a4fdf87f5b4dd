// SPDX-License-Identifier: MIT
// What the host may write to the TUN: routed, sealed and staged, or answered with an unreachable that answers
// nothing itself.
#include <cstdlib>

#include "tests/fuzz/datapath_wg/reused_pair.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 9000) return 0;
    sim::Pair& pair = fuzz::reused_pair([](sim::Pair& made) { made.connect(); });
    pair.a.unreachables.clear();
    const Bytes packet(data, data + size);
    pair.a.send(packet);
    for (const Bytes& answer : std::vector<Bytes>(pair.a.unreachables)) {
        if (answer.size() > 576 || !(answer[0] == 0x45 || (answer[0] >> 4) == 6)) std::abort();
        const std::size_t before = pair.a.unreachables.size();
        pair.a.send(answer);
        if (pair.a.unreachables.size() != before) std::abort();
    }
    pair.world.run_for(std::chrono::milliseconds(100));
    if (!pair.world.eavesdropper.violations().empty()) std::abort();
    return 0;
}
