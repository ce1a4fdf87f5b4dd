// SPDX-License-Identifier: MIT
// One datagram of types 1 to 3 for an engine in the middle of a handshake. The first byte says what of it to
// put right (mac1, the receiver index), so that the parsers behind those checks are reached.
#include <cstdlib>

#include "tests/fuzz/datapath_wg/reused_pair.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    sim::Pair& pair = fuzz::reused_pair([](sim::Pair& made) {
        made.world.middlebox = [](sim::Datagram&) { return false; };
        made.b_to_a(); // b has sent an initiation
    });
    pair.b.handshake_backlog = (data[0] & 4) != 0 ? 1000 : 0;

    Bytes message(data + 1, data + size);
    if ((data[0] & 1) != 0 && message.size() >= 12 && pair.peer_in_b().initiation)
        store_le<std::uint32_t>(message.data() + (message[0] == 2 ? 8 : 4),
                                pair.peer_in_b().initiation->local_index);
    if ((data[0] & 2) != 0 && message.size() >= wg::kMacsSize + 8)
        wg::CookieKeeper().add_macs(message, pair.b.key(), pair.world.now().mono);
    pair.b.receive({{pair.a.address(), pair.b.address(), message}});
    pair.b.receive({{pair.a.address(), pair.b.address(), message}});

    // Nobody without a key gets a session.
    if (pair.peer_in_b().current.load() || pair.peer_in_b().next.load()) std::abort();
    return 0;
}
