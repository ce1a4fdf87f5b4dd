// SPDX-License-Identifier: MIT
// A tunnel as the world may see it: never a key but public ones.
#include <unordered_map>

#include "daemon/control/tunnel.hpp"

namespace wgd::control {
namespace {

PeerView from_profile(const ProfilePeer& peer) {
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

TunnelView Tunnel::view() {
    TunnelView view{name_};
    view.state = state_;
    view.backend = record_.backend;
    view.backend_reason = record_.backend_reason;
    view.interface = name_.str();
    view.kill_switch = host_.kill_switch().mode_of(name_);
    view.netns = netns();
    view.last_error = last_error_;
    view.residue = residue_;
    view.drift_count = drift_.count();
    view.drift_last = drift_.last();
    view.dns_backend = record_.dns_backend;
    view.dns_reason = record_.dns_reason;

    std::unordered_map<PublicKey, PeerView> known;
    if (loaded_) {
        const Profile& profile = loaded_->profile;
        view.warnings = loaded_->warnings;
        for (const IpAddress& server : profile.dns_servers)
            view.dns.push_back(server.to_string());
        view.dns.insert(view.dns.end(), profile.dns_search.begin(), profile.dns_search.end());
        for (const ProfilePeer& peer : profile.peers)
            known.emplace(peer.public_key, from_profile(peer));
    }
    view.warnings.insert(view.warnings.end(), plan_warnings_.begin(), plan_warnings_.end());
    if (profile_changed_)
        view.warnings.push_back("the profile has changed since it was applied; `wgctl reload " + name_.str() +
                                "` applies it");
    if (endpoints_)
        for (std::string& problem : endpoints_->problems())
            view.warnings.push_back(std::move(problem));

    if (paths_) {
        view.path_mtu = paths_->smallest().value_or(0);
        for (std::string& problem : paths_->problems())
            view.warnings.push_back(std::move(problem));
    }

    auto device = has_record_ ? ports_.reader.read_device(name_.str(), netns())
                              : Result<WgDevice>(fail(ErrorCode::kNotFound, "no device"));
    if (!device) {
        // Not there (yet, or any more): what the profile says.
        if (loaded_) {
            view.addresses = loaded_->profile.addresses;
            for (const ProfilePeer& peer : loaded_->profile.peers)
                view.peers.push_back(known.at(peer.public_key));
        }
        return view;
    }
    view.ifindex = device->ifindex.value_or(0);
    view.public_key = device->public_key;
    view.listen_port = device->listen_port;
    view.fwmark = device->fwmark;
    if (const auto snapshot = look({})) {
        if (!snapshot->dns.problem.empty()) {
            view.dns_backend.clear();
            view.dns_reason = snapshot->dns.problem;
            view.warnings.push_back("DNS is not set: " + snapshot->dns.problem);
        }
        if (const auto link = snapshot->links.find(name_.str()); link != snapshot->links.end()) {
            view.mtu = link->second.mtu;
            view.ifindex = link->second.index;
        }
        if (const auto addresses = snapshot->addresses.find(name_.str());
            addresses != snapshot->addresses.end())
            view.addresses = addresses->second;
    }
    const Instant now = ports_.timers.now();
    const WallTime wall = ports_.clock.wall();
    std::map<PublicKey, PeerTracker> trackers; // of the peers that are left
    for (const WgPeer& peer : device->peers) {
        PeerView& shown = view.peers.emplace_back();
        if (const auto found = known.find(peer.public_key); found != known.end())
            shown = std::move(found->second);
        fill(shown, peer);
        PeerTracker& tracker = trackers[peer.public_key];
        if (const auto found = trackers_.find(peer.public_key); found != trackers_.end())
            tracker = found->second;
        shown.state = tracker.observe(peer, now, wall);
    }
    trackers_ = std::move(trackers);
    return view;
}

} // namespace wgd::control
