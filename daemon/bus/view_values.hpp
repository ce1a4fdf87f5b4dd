// SPDX-License-Identifier: MIT
// Values of control's views as they are written on the bus. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <vector>

#include "daemon/control/view.hpp"

namespace wgd::bus {

std::vector<std::string> prefixes(const std::vector<IpPrefix>& prefixes);
std::string key_text(const PublicKey& key);                         // empty for the zero key
std::string endpoint_text(const std::optional<Endpoint>& endpoint); // empty for none
std::uint64_t epoch_seconds(WallTime time);                         // 0: never
// The properties of org.wgd1.Peer, as GetPeers gives them.
std::map<std::string, sdbus::Variant> peer_values(const control::PeerView& peer);
// At least as many bytes as peer_values() takes in a message.
std::size_t peer_size(const control::PeerView& peer);

} // namespace wgd::bus
