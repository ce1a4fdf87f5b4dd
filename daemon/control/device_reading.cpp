// SPDX-License-Identifier: MIT
#include "daemon/control/device_reading.hpp"

#include <utility>

namespace wgd::control {
namespace {

void fill(PeerView& view, const WgPeer& peer) {
    view.public_key = peer.public_key;
    view.endpoint = peer.endpoint;
    view.allowed_ips = peer.allowed_ips;
    view.persistent_keepalive = peer.persistent_keepalive;
    view.has_preshared_key = !peer.preshared_key.is_zero();
    view.latest_handshake = peer.latest_handshake;
    view.rx_bytes = peer.rx_bytes;
    view.tx_bytes = peer.tx_bytes;
}

} // namespace

PeerView peer_of_profile(const ProfilePeer& peer) {
    PeerView view;
    view.public_key = peer.public_key;
    view.name = peer.name;
    if (peer.endpoint) view.endpoint_spec = peer.endpoint->text;
    for (const AllowedIpDelta& ip : peer.allowed_ips)
        if (!ip.remove) view.allowed_ips.push_back(ip.prefix);
    view.persistent_keepalive = peer.persistent_keepalive.value_or(0);
    view.has_preshared_key = peer.preshared_key && !peer.preshared_key->is_zero();
    return view;
}

std::vector<PeerView> peers_of_device(const WgDevice& device, const Profile* profile, PeerTrackers& trackers,
                                      Instant now, WallTime wall) {
    std::map<PublicKey, const ProfilePeer*> known;
    if (profile != nullptr)
        for (const ProfilePeer& peer : profile->peers)
            known.emplace(peer.public_key, &peer);
    std::vector<PeerView> views;
    views.reserve(device.peers.size());
    PeerTrackers left;
    for (const WgPeer& peer : device.peers) {
        PeerView& view = views.emplace_back();
        if (const auto found = known.find(peer.public_key); found != known.end()) {
            view.name = found->second->name;
            if (found->second->endpoint) view.endpoint_spec = found->second->endpoint->text;
        }
        fill(view, peer);
        PeerTracker& tracker = left[peer.public_key];
        if (const auto found = trackers.find(peer.public_key); found != trackers.end())
            tracker = found->second;
        view.state = tracker.observe(peer, now, wall);
    }
    trackers = std::move(left);
    return views;
}

} // namespace wgd::control
