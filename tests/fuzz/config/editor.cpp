// SPDX-License-Identifier: MIT
// Edits of an acceptable profile leave an acceptable profile, changed in that one thing.
#include <cstdint>
#include <cstdlib>

#include "common/config/editor.hpp"
#include "common/config/parser.hpp"

using namespace wgd;

namespace {
const auto kName = *ProfileName::parse("fuzz");

Profile reread(const Result<SecretText>& text) {
    if (!text) std::abort();
    auto outcome = parse(*text, kName);
    if (!outcome.profile) std::abort();
    return std::move(*outcome.profile);
}
void require(bool holds) {
    if (!holds) std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto before = parse(text, kName).profile;
    if (!before) return 0;
    require(reread(set_interface_key(text, KeyId::kMtu, "1400")).mtu == 1400U);
    require(!reread(set_interface_key(text, KeyId::kListenPort, std::nullopt)).listen_port);
    if (before->peers.empty()) return 0;
    const auto& first = before->peers.front();
    require(reread(set_peer_key(text, first.public_key, KeyId::kEndpoint, "a.b:1"))
                .peers.front()
                .endpoint->port == 1);
    const auto without = remove_peer(text, first.public_key);
    require(reread(without).peers.size() + 1 == before->peers.size());
    require(reread(add_peer(*without, first)).peers.size() == before->peers.size());
    return 0;
}
