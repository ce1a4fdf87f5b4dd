// SPDX-License-Identifier: MIT
#include "common/config/profile_delta.hpp"

#include <map>

namespace wgd {
namespace {

PeerDelta peer_delta(const ProfilePeer& peer, const std::optional<Endpoint>& endpoint) {
    PeerDelta delta;
    delta.public_key = peer.public_key;
    if (peer.preshared_key) delta.preshared_key = peer.preshared_key->clone();
    delta.endpoint = endpoint;
    delta.persistent_keepalive = peer.persistent_keepalive;
    delta.replace_allowed_ips = peer.replace_allowed_ips;
    delta.allowed_ips = peer.allowed_ips;
    return delta;
}

} // namespace

ResolvedPeerEndpoints numeric_endpoints(const Profile& profile) {
    ResolvedPeerEndpoints endpoints;
    endpoints.reserve(profile.peers.size());
    for (const auto& peer : profile.peers)
        endpoints.push_back(peer.endpoint ? peer.endpoint->numeric() : std::nullopt);
    return endpoints;
}

DeviceDelta addconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints) {
    DeviceDelta delta;
    if (profile.private_key) delta.private_key = profile.private_key->clone();
    delta.listen_port = profile.listen_port;
    delta.fwmark = profile.fwmark;
    delta.peers.reserve(profile.peers.size());
    for (std::size_t i = 0; i < profile.peers.size(); ++i)
        delta.peers.push_back(
            peer_delta(profile.peers[i], i < endpoints.size() ? endpoints[i] : std::nullopt));
    return delta;
}

DeviceDelta setconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints) {
    auto delta = addconf_delta(profile, endpoints);
    if (!delta.private_key) delta.private_key.emplace();
    delta.listen_port = delta.listen_port.value_or(0);
    delta.fwmark = delta.fwmark.value_or(0);
    delta.replace_peers = true;
    return delta;
}

DeviceDelta syncconf_delta(const Profile& profile, const ResolvedPeerEndpoints& endpoints,
                           const WgDevice& current) {
    auto delta = setconf_delta(profile, endpoints);
    delta.replace_peers = profile.peers.empty();
    if (delta.replace_peers) return delta;
    std::map<PublicKey, const WgPeer*> running;
    for (const auto& peer : current.peers)
        running.emplace(peer.public_key, &peer);
    for (auto& peer : delta.peers) {
        const auto found = running.find(peer.public_key);
        if (found == running.end()) continue;
        // Absent in the file but set on the device: say so, or it would stay.
        if (!peer.preshared_key && !found->second->preshared_key.is_zero()) peer.preshared_key.emplace();
        if (!peer.persistent_keepalive && found->second->persistent_keepalive != 0)
            peer.persistent_keepalive = 0;
        running.erase(found);
    }
    // What is left is not in the file. In the device's order, so that the result is deterministic.
    std::vector<PeerDelta> removals;
    for (const auto& peer : current.peers) {
        if (running.find(peer.public_key) == running.end()) continue;
        auto& removal = removals.emplace_back();
        removal.public_key = peer.public_key;
        removal.remove = true;
    }
    delta.peers.insert(delta.peers.begin(), std::make_move_iterator(removals.begin()),
                       std::make_move_iterator(removals.end()));
    return delta;
}

} // namespace wgd
