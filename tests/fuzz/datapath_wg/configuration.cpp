// SPDX-License-Identifier: MIT
// Requests of the UAPI, one after the other, to a live engine with traffic between them. What it says about
// itself can be read and says the same again; no allowed IP has two owners, its own key is no peer; and a
// proper configuration afterwards makes the tunnel work.
#include <cstdlib>
#include <set>

#include "common/wgapi/uapi_codec.hpp"
#include "tests/sim/fixtures.hpp"

using namespace wgd;

namespace {

void check(const WgDevice& device) {
    std::set<PublicKey> keys;
    std::set<IpPrefix> prefixes;
    for (const WgPeer& peer : device.peers) {
        if (!keys.insert(peer.public_key).second || peer.public_key == device.public_key) std::abort();
        for (const IpPrefix& prefix : peer.allowed_ips)
            if (!prefixes.insert(prefix).second) std::abort();
    }
    const SecretText said = uapi::encode_get_reply(device);
    const auto understood = uapi::parse_get_reply(said);
    if (!understood || uapi::encode_get_reply(*understood) != said) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 8192) return 0;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    sim::Pair pair;
    for (int messages = 0; messages < 32; ++messages) {
        std::size_t scanned = 0;
        const auto end = uapi::message_end(text, scanned);
        if (!end) break;
        auto request = uapi::parse_request(text.substr(0, *end));
        text.remove_prefix(*end);
        if (!request) continue;
        if (auto* set = std::get_if<uapi::SetRequest>(&*request)) {
            if (!pair.a.engine().check(set->delta)) continue;
            pair.a.apply(std::move(set->delta));
        }
        check(pair.a.engine().snapshot());
        pair.a_to_b();
        pair.b_to_a();
        pair.world.run_for(std::chrono::seconds(messages % 8));
    }

    DeviceDelta proper;
    proper.private_key = pair.a.private_key();
    proper.replace_peers = true;
    PeerDelta peer;
    peer.public_key = pair.b.key();
    peer.endpoint = pair.b.address();
    peer.allowed_ips.push_back({*IpPrefix::parse("10.0.0.2/32")});
    proper.peers.push_back(std::move(peer));
    pair.a.apply(std::move(proper));
    const std::size_t before = pair.b.delivered.size();
    for (int second = 0; second < 40 && pair.b.delivered.size() == before; ++second) {
        pair.a_to_b();
        pair.world.run_for(std::chrono::seconds(1));
    }
    if (pair.b.delivered.size() == before) std::abort();
    return 0;
}
