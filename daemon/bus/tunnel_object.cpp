// SPDX-License-Identifier: MIT
#include "daemon/bus/tunnel_object.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "daemon/bus/view_values.hpp"
#include "dbus/names.hpp"

namespace wgd::bus {

TunnelObject::TunnelObject(sdbus::IConnection& connection, control::Manager& manager, Gate& gate,
                           control::TunnelView view)
    : AdaptorInterfaces(connection, dbus::tunnel_path(view.name))
    , connection_(connection)
    , manager_(manager)
    , gate_(gate)
    , view_(std::move(view)) {
    registerAdaptor();
    emitInterfacesAddedSignal({dbus::kTunnelInterface});
    sync_peers();
}

TunnelObject::~TunnelObject() {
    peers_.clear();
    unregisterAdaptor();
}

void TunnelObject::withdraw() {
    for (const auto& [key, peer] : peers_)
        peer->emitInterfacesRemovedSignal({dbus::kPeerInterface});
    emitInterfacesRemovedSignal({dbus::kTunnelInterface});
}

void TunnelObject::update(control::TunnelView view) {
    std::vector<std::string> changed;
    const auto note = [&](const char* property, bool differs) {
        if (differs) changed.emplace_back(property);
    };
    note("State", view.state != view_.state);
    note("LastError", view.last_error != view_.last_error);
    note("Backend", view.backend != view_.backend);
    note("BackendReason", view.backend_reason != view_.backend_reason);
    note("KillSwitch", view.kill_switch != view_.kill_switch);
    note("Interface", view.interface != view_.interface);
    note("Netns", view.netns != view_.netns);
    note("Ifindex", view.ifindex != view_.ifindex);
    note("PublicKey", view.public_key != view_.public_key);
    note("ListenPort", view.listen_port != view_.listen_port);
    note("FwMark", view.fwmark != view_.fwmark);
    note("Mtu", view.mtu != view_.mtu);
    note("PathMtu", view.path_mtu != view_.path_mtu);
    note("Addresses", view.addresses != view_.addresses);
    note("Dns", view.dns != view_.dns);
    note("DnsBackend", view.dns_backend != view_.dns_backend);
    note("DnsReason", view.dns_reason != view_.dns_reason);
    note("PeerCount", view.peers.size() != view_.peers.size());
    note("Warnings", view.warnings != view_.warnings);
    note("Drift", view.drift_count != view_.drift_count);
    note("Residue", view.residue != view_.residue);
    const bool same_peers = view.peers.same_moment(view_.peers);
    view_ = std::move(view);
    live_read_.reset();            // what changed may have changed the counters' meaning as well
    if (!same_peers) sync_peers(); // before the signal, so that who hears of a new count finds the objects
    if (!changed.empty()) emitPropertiesChangedSignal(dbus::kTunnelInterface, changed);
}

// Makes peers_ the objects of the first kMaxPeerObjects peers of view_.
void TunnelObject::sync_peers() {
    const std::size_t count = std::min(view_.peers.size(), dbus::kMaxPeerObjects);
    std::set<wgd::PublicKey> wanted;
    for (std::size_t i = 0; i < count; ++i)
        wanted.insert(view_.peers[i].public_key);
    for (auto at = peers_.begin(); at != peers_.end();) {
        if (wanted.count(at->first) != 0) {
            ++at;
            continue;
        }
        at->second->emitInterfacesRemovedSignal({dbus::kPeerInterface});
        at = peers_.erase(at);
    }
    for (std::size_t i = 0; i < count; ++i) {
        const auto& peer = view_.peers[i];
        if (const auto at = peers_.find(peer.public_key); at != peers_.end()) {
            at->second->update(peer);
            continue;
        }
        auto object =
            std::make_unique<PeerObject>(connection_, dbus::peer_path(view_.name, next_peer_++), peer,
                                         [this](const wgd::PublicKey& key) { return live_peer(key); });
        object->emitInterfacesAddedSignal({dbus::kPeerInterface});
        peers_.emplace(peer.public_key, std::move(object));
    }
}

const control::PeerView* TunnelObject::live_peer(const wgd::PublicKey& key) {
    const Instant now = system_clock().now();
    if (!live_read_ || now - *live_read_ > kFreshness) {
        live_read_ = now; // also after a failure: it will not be better for the next property
        live_ = {};
        live_index_.clear();
        if (auto fresh = manager_.tunnel(view_.name); fresh) live_ = std::move(fresh->peers);
        for (std::size_t i = 0; i < live_.size() && live_index_.size() < peers_.size(); ++i)
            if (peers_.count(live_[i].public_key) != 0) live_index_.emplace(live_[i].public_key, i);
    }
    const auto at = live_index_.find(key);
    return at == live_index_.end() ? nullptr : &live_[at->second];
}

void TunnelObject::GetPeers(
    sdbus::Result<std::vector<std::map<std::string, sdbus::Variant>>, uint32_t>&& result, uint32_t offset,
    uint32_t limit) {
    using Peers = std::vector<std::map<std::string, sdbus::Variant>>;
    gate_.admit(dbus::kTunnelInterface, "GetPeers", getObject(), std::move(result),
                [&manager = manager_, name = view_.name, offset, limit](TicketPtr<Peers, uint32_t> ticket) {
                    const auto tunnel = manager.tunnel(name);
                    if (!tunnel) return ticket->fail(tunnel.error());
                    const auto& all = tunnel->peers;
                    const std::size_t most = limit == 0
                                                 ? dbus::kMaxPeersPerReply
                                                 : std::min<std::size_t>(limit, dbus::kMaxPeersPerReply);
                    Peers page;
                    std::size_t bytes = 0;
                    for (std::size_t i = offset; i < all.size() && page.size() < most; ++i) {
                        bytes += peer_size(all[i]);
                        if (bytes > dbus::kMaxReplyBytes && !page.empty()) break;
                        page.push_back(peer_values(all[i]));
                    }
                    ticket->answer(page, static_cast<uint32_t>(all.size()));
                });
}

std::string TunnelObject::Name() {
    return guarded("Name", [&] { return view_.name.str(); });
}
std::string TunnelObject::State() {
    return guarded("State", [&] { return std::string(control::to_string(view_.state)); });
}
std::string TunnelObject::LastError() {
    return guarded("LastError", [&] { return bus_text(view_.last_error); });
}
std::string TunnelObject::Backend() {
    return guarded("Backend", [&] { return std::string(plan::to_string(view_.backend)); });
}
std::string TunnelObject::KillSwitch() {
    return guarded("KillSwitch", [&] { return std::string(plan::to_string(view_.kill_switch)); });
}
std::string TunnelObject::BackendReason() {
    return guarded("BackendReason", [&] { return bus_text(view_.backend_reason); });
}
std::string TunnelObject::Interface() {
    return guarded("Interface", [&] { return bus_text(view_.interface); });
}
std::string TunnelObject::Netns() {
    return guarded("Netns", [&] { return bus_text(view_.netns); });
}
uint32_t TunnelObject::Ifindex() {
    return view_.ifindex;
}
std::string TunnelObject::PublicKey() {
    return guarded("PublicKey", [&] { return key_text(view_.public_key); });
}
uint16_t TunnelObject::ListenPort() {
    return view_.listen_port;
}
uint32_t TunnelObject::FwMark() {
    return view_.fwmark;
}
uint32_t TunnelObject::Mtu() {
    return view_.mtu;
}
uint32_t TunnelObject::PathMtu() {
    return view_.path_mtu;
}
std::vector<std::string> TunnelObject::Addresses() {
    return guarded("Addresses", [&] { return prefixes(view_.addresses); });
}
std::vector<std::string> TunnelObject::Dns() {
    return guarded("Dns", [&] { return bus_text(view_.dns); });
}
std::string TunnelObject::DnsBackend() {
    return guarded("DnsBackend", [&] { return bus_text(view_.dns_backend); });
}
std::string TunnelObject::DnsReason() {
    return guarded("DnsReason", [&] { return bus_text(view_.dns_reason); });
}
uint32_t TunnelObject::PeerCount() {
    return static_cast<uint32_t>(view_.peers.size());
}
std::vector<std::string> TunnelObject::Warnings() {
    return guarded("Warnings", [&] { return bus_text(view_.warnings); });
}
sdbus::Struct<uint32_t, std::string> TunnelObject::Drift() {
    return guarded("Drift", [&] {
        return sdbus::Struct<uint32_t, std::string>(view_.drift_count, bus_text(view_.drift_last));
    });
}
std::vector<std::string> TunnelObject::Residue() {
    return guarded("Residue", [&] { return bus_text(view_.residue); });
}

} // namespace wgd::bus
