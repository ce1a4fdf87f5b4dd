// SPDX-License-Identifier: MIT
#include "daemon/control/device_reading.hpp"

#include <unordered_map>
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

// By key. A device lists its peers in the order they were given, which mostly is the profile's: then no map
// is needed.
class ProfilePeers {
  public:
    explicit ProfilePeers(const Profile* profile)
        : profile_(profile) {}
    const ProfilePeer* find(const PublicKey& key) {
        if (profile_ == nullptr) return nullptr;
        const auto& peers = profile_->peers;
        if (next_ < peers.size() && peers[next_].public_key == key) return &peers[next_++];
        if (index_.empty())
            for (std::size_t i = 0; i < peers.size(); ++i)
                index_.emplace(peers[i].public_key, i);
        const auto found = index_.find(key);
        if (found == index_.end()) return nullptr;
        next_ = found->second + 1;
        return &peers[found->second];
    }

  private:
    const Profile* profile_;
    std::size_t next_ = 0;
    std::unordered_map<PublicKey, std::size_t> index_;
};

} // namespace

PeerViews peers_of_profile(const Profile& profile) {
    std::vector<PeerView> views;
    views.reserve(profile.peers.size());
    for (const ProfilePeer& peer : profile.peers)
        views.push_back(peer_of_profile(peer));
    return views;
}

PeerViews peers_of_device(const WgDevice& device, const Profile* profile, PeerTrackers& trackers, Instant now,
                          WallTime wall) {
    ProfilePeers known(profile);
    std::vector<PeerView> views;
    views.reserve(device.peers.size());
    PeerTrackers left;
    left.reserve(device.peers.size());
    for (const WgPeer& peer : device.peers) {
        PeerView& view = views.emplace_back();
        if (const ProfilePeer* told = known.find(peer.public_key)) {
            view.name = told->name;
            if (told->endpoint) view.endpoint_spec = told->endpoint->text;
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
