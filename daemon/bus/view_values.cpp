// SPDX-License-Identifier: MIT
#include "daemon/bus/view_values.hpp"

#include "daemon/bus/text.hpp"

namespace wgd::bus {

std::vector<std::string> prefixes(const std::vector<IpPrefix>& prefixes) {
    std::vector<std::string> texts;
    texts.reserve(prefixes.size());
    for (const auto& prefix : prefixes)
        texts.push_back(prefix.to_string());
    return texts;
}

std::string key_text(const PublicKey& key) {
    return key.is_zero() ? std::string() : key.to_base64();
}

std::string endpoint_text(const std::optional<Endpoint>& endpoint) {
    return endpoint ? endpoint->to_string() : std::string();
}

std::uint64_t epoch_seconds(WallTime time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    return seconds > 0 ? static_cast<std::uint64_t>(seconds) : 0;
}

std::map<std::string, sdbus::Variant> peer_values(const control::PeerView& peer) {
    return {
        {"PublicKey", key_text(peer.public_key)},
        {"Name", bus_text(peer.name)},
        {"AllowedIps", prefixes(peer.allowed_ips)},
        {"PersistentKeepalive", peer.persistent_keepalive},
        {"HasPresharedKey", peer.has_preshared_key},
        {"State", std::string(control::to_string(peer.state))},
        {"Endpoint", endpoint_text(peer.endpoint)},
        {"EndpointSpec", bus_text(peer.endpoint_spec)},
        {"LatestHandshake", epoch_seconds(peer.latest_handshake)},
        {"RxBytes", peer.rx_bytes},
        {"TxBytes", peer.tx_bytes},
    };
}

std::size_t peer_size(const control::PeerView& peer) {
    // Eleven keys, signatures, lengths and padding come to less than 512 bytes; "[v6]:port" to 64; an IPv6
    // prefix to 43 characters, with its length and terminator 48.
    return 640 + peer.name.size() + peer.endpoint_spec.size() + 52 * peer.allowed_ips.size();
}

} // namespace wgd::bus
