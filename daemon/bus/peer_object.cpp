// SPDX-License-Identifier: MIT
#include "daemon/bus/peer_object.hpp"

#include <utility>

#include "daemon/bus/guard.hpp"
#include "daemon/bus/view_values.hpp"
#include "dbus/names.hpp"

namespace wgd::bus {

PeerObject::PeerObject(sdbus::IConnection& connection, std::string path, control::PeerView view, Live live)
    : AdaptorInterfaces(connection, std::move(path))
    , view_(std::move(view))
    , live_(std::move(live)) {
    registerAdaptor();
}

PeerObject::~PeerObject() {
    unregisterAdaptor();
}

void PeerObject::update(control::PeerView view) {
    std::vector<std::string> changed;
    const auto note = [&](const char* property, bool differs) {
        if (differs) changed.emplace_back(property);
    };
    note("Name", view.name != view_.name);
    note("AllowedIps", view.allowed_ips != view_.allowed_ips);
    note("PersistentKeepalive", view.persistent_keepalive != view_.persistent_keepalive);
    note("HasPresharedKey", view.has_preshared_key != view_.has_preshared_key);
    note("State", view.state != view_.state);
    view_ = std::move(view);
    if (!changed.empty()) emitPropertiesChangedSignal(dbus::kPeerInterface, changed);
}

const control::PeerView& PeerObject::now() const {
    const auto* live = live_(view_.public_key);
    return live != nullptr ? *live : view_;
}

std::string PeerObject::PublicKey() {
    return guarded("PublicKey", [&] { return key_text(view_.public_key); });
}
std::string PeerObject::Name() {
    return guarded("Name", [&] { return bus_text(view_.name); });
}
std::vector<std::string> PeerObject::AllowedIps() {
    return guarded("AllowedIps", [&] { return prefixes(view_.allowed_ips); });
}
uint16_t PeerObject::PersistentKeepalive() {
    return view_.persistent_keepalive;
}
bool PeerObject::HasPresharedKey() {
    return view_.has_preshared_key;
}
std::string PeerObject::State() {
    return guarded("State", [&] { return std::string(control::to_string(now().state)); });
}
std::string PeerObject::Endpoint() {
    return guarded("Endpoint", [&] { return endpoint_text(now().endpoint); });
}
std::string PeerObject::EndpointSpec() {
    return guarded("EndpointSpec", [&] { return bus_text(view_.endpoint_spec); });
}
uint64_t PeerObject::LatestHandshake() {
    return guarded("LatestHandshake", [&] { return epoch_seconds(now().latest_handshake); });
}
uint64_t PeerObject::RxBytes() {
    return guarded("RxBytes", [&] { return now().rx_bytes; });
}
uint64_t PeerObject::TxBytes() {
    return guarded("TxBytes", [&] { return now().tx_bytes; });
}

} // namespace wgd::bus
