// SPDX-License-Identifier: MIT
#include "common/model/device.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace wgd {
namespace {

// One pass over the device finds what the change names; everything else is not looked at again.
class Application {
  public:
    Application(WgDevice& device, const DeviceDelta& delta)
        : device_(device)
        , gone_(device.peers.size(), false) {
        for (const PeerDelta& change : delta.peers) {
            places_.emplace(change.public_key, kNowhere);
            for (const AllowedIpDelta& ip : change.allowed_ips)
                if (!ip.remove) owners_.emplace(ip.prefix.network(), kNowhere);
        }
        for (std::size_t i = 0; i < device.peers.size(); ++i) {
            if (const auto named = places_.find(device.peers[i].public_key); named != places_.end())
                named->second = i;
            if (owners_.empty()) continue;
            for (const IpPrefix& prefix : device.peers[i].allowed_ips)
                if (const auto named = owners_.find(prefix); named != owners_.end()) named->second = i;
        }
    }

    void take(const PeerDelta& change) {
        std::size_t& place = places_.at(change.public_key);
        if (change.remove) {
            if (place != kNowhere) gone_[place] = true;
            place = kNowhere;
            return;
        }
        if (place == kNowhere) {
            if (change.update_only || change.public_key == device_.public_key) return;
            place = device_.peers.size();
            device_.peers.emplace_back().public_key = change.public_key;
            gone_.push_back(false);
        }
        WgPeer& peer = device_.peers[place];
        if (change.preshared_key) peer.preshared_key = change.preshared_key->clone();
        if (change.endpoint) peer.endpoint = change.endpoint;
        if (change.persistent_keepalive) peer.persistent_keepalive = *change.persistent_keepalive;
        if (change.replace_allowed_ips) peer.allowed_ips.clear();
        for (const AllowedIpDelta& ip : change.allowed_ips) {
            const IpPrefix prefix = ip.prefix.network();
            if (ip.remove) {
                drop(peer, prefix);
                continue;
            }
            std::size_t& owner = owners_.at(prefix);
            if (owner != kNowhere) drop(device_.peers[owner], prefix);
            owner = place;
            peer.allowed_ips.push_back(prefix);
        }
    }

    void finish() {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < device_.peers.size(); ++i) {
            if (gone_[i]) continue;
            if (kept != i) device_.peers[kept] = std::move(device_.peers[i]);
            ++kept;
        }
        device_.peers.resize(kept);
    }

  private:
    static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

    static void drop(WgPeer& peer, const IpPrefix& prefix) {
        auto& list = peer.allowed_ips;
        list.erase(std::remove(list.begin(), list.end(), prefix), list.end());
    }

    WgDevice& device_;
    std::vector<bool> gone_;                            // removed, and not yet taken out
    std::unordered_map<PublicKey, std::size_t> places_; // of the peers that the change names
    std::unordered_map<IpPrefix, std::size_t> owners_;  // of the prefixes that it gives to somebody
};

} // namespace

void apply(WgDevice& device, const DeviceDelta& delta) {
    if (delta.fwmark) device.fwmark = *delta.fwmark;
    if (delta.listen_port) device.listen_port = *delta.listen_port;
    if (delta.replace_peers) device.peers.clear();
    if (delta.private_key) {
        device.private_key = as_device_holds(*delta.private_key);
        device.public_key =
            device.private_key.is_zero() ? PublicKey{} : derive_public_key(device.private_key);
        // A peer that it has become itself goes.
        device.peers.erase(std::remove_if(device.peers.begin(), device.peers.end(),
                                          [&](const WgPeer& peer) {
                                              return !device.public_key.is_zero() &&
                                                     peer.public_key == device.public_key;
                                          }),
                           device.peers.end());
    }
    if (delta.peers.empty()) return;
    Application application(device, delta);
    for (const PeerDelta& change : delta.peers)
        application.take(change);
    application.finish();
}

} // namespace wgd
