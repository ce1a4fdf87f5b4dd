// SPDX-License-Identifier: MIT
// What a peer with good keys may put into a transport message: any counter, any plaintext, any outer TOS;
// and, with the first byte odd, raw bytes behind a good receiver index.
#include <cstdlib>

#include "tests/fuzz/datapath_wg/reused_pair.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 10 || size > 2000) return 0;
    sim::Pair& pair = fuzz::reused_pair([](sim::Pair& made) { made.connect(); });
    pair.b.delivered.clear();
    wg::Keypair& keypair = *pair.peer_in_a().current.load();
    const ByteView rest(data + 10, size - 10);
    Bytes datagram(32 + rest.size());
    wg::write_transport_header(datagram.data(), keypair.remote_index, load_le<std::uint64_t>(data + 2));
    if ((data[0] & 1) != 0)
        std::copy(rest.begin(), rest.end(), datagram.begin() + 16);
    else
        crypto::aead_seal(ByteSpan(datagram).subspan(16),
                          std::span<const std::uint8_t, 32>(keypair.sending_key.data(), 32),
                          load_le<std::uint64_t>(data + 2), rest, {});
    pair.b.receive({{pair.a.address(), pair.b.address(), datagram, data[1]}});
    pair.b.receive({{pair.a.address(), pair.b.address(), datagram, data[1]}});

    if (pair.b.delivered.size() > 1) std::abort(); // once at most
    for (const Bytes& inner : pair.b.delivered)    // from the peer's address, as long as it says
        if (inner.size() < 20 || load_be<std::uint16_t>(inner.data() + 2) != inner.size() ||
            load_be<std::uint32_t>(inner.data() + 12) != 0x0a000001)
            std::abort();
    return 0;
}
