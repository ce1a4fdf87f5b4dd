// SPDX-License-Identifier: MIT
// A tunnel as the world may see it: never a key but public ones.
#include "daemon/control/tunnel.hpp"

namespace wgd::control {

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

    if (loaded_) {
        const Profile& profile = loaded_->profile;
        view.warnings = loaded_->warnings;
        for (const IpAddress& server : profile.dns_servers)
            view.dns.push_back(server.to_string());
        view.dns.insert(view.dns.end(), profile.dns_search.begin(), profile.dns_search.end());
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

    // In a transaction it is not one thing or the other: what was seen before is told on.
    if (has_record_ && !busy_ && !(reading_ && reading_->is_fresh(ports_.timers.now()))) read_again();
    if (!has_record_ || !reading_) {
        // Not there (yet, or any more): what the profile says.
        if (loaded_) {
            view.addresses = loaded_->profile.addresses;
            if (loaded_->peers.size() != loaded_->profile.peers.size())
                loaded_->peers = peers_of_profile(loaded_->profile);
            view.peers = loaded_->peers;
        }
        return view;
    }
    if (!reading_->dns_problem.empty()) {
        view.dns_backend.clear();
        view.dns_reason = reading_->dns_problem;
        view.warnings.push_back("DNS is not set: " + reading_->dns_problem);
    }
    view.ifindex = reading_->ifindex;
    view.mtu = reading_->mtu;
    view.addresses = reading_->addresses;
    view.public_key = reading_->public_key;
    view.listen_port = reading_->listen_port;
    view.fwmark = reading_->fwmark;
    view.peers = reading_->peers;
    return view;
}

void Tunnel::read_again() {
    reading_.reset();
    const Instant began = ports_.timers.now();
    const auto seen = ports_.reader.read_link(name_.str(), netns());
    if (seen) take_reading(seen->link, seen->addresses, seen->device, seen->dns_problem, began);
}

// A snapshot that was taken for another reason is as good.
void Tunnel::take_reading(const plan::Snapshot& snapshot, Instant began) {
    const auto link = snapshot.links.find(name_.str());
    if (link == snapshot.links.end() || !snapshot.device) return reading_.reset();
    const auto addresses = snapshot.addresses.find(name_.str());
    take_reading(link->second,
                 addresses == snapshot.addresses.end() ? std::vector<IpPrefix>{} : addresses->second,
                 *snapshot.device, snapshot.dns.problem, began);
}

void Tunnel::take_reading(const plan::Link& link, const std::vector<IpPrefix>& addresses,
                          const WgDevice& device, const std::string& dns_problem, Instant began) {
    DeviceReading reading;
    reading.at = ports_.timers.now();
    reading.took = reading.at - began;
    reading.ifindex = link.index;
    reading.mtu = link.mtu;
    reading.addresses = addresses;
    reading.dns_problem = dns_problem;
    reading.public_key = device.public_key;
    reading.listen_port = device.listen_port;
    reading.fwmark = device.fwmark;
    reading.peers = peers_of_device(device, loaded_ ? &loaded_->profile : nullptr, trackers_, reading.at,
                                    ports_.clock.wall());
    reading_ = std::move(reading);
}

} // namespace wgd::control
