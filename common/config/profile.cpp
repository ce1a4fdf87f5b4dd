// SPDX-License-Identifier: MIT
#include "common/config/profile.hpp"

namespace wgd {

ProfilePeer ProfilePeer::clone() const {
    ProfilePeer copy;
    copy.public_key = public_key;
    if (preshared_key) copy.preshared_key = preshared_key->clone();
    copy.endpoint = endpoint;
    copy.persistent_keepalive = persistent_keepalive;
    copy.allowed_ips = allowed_ips;
    copy.replace_allowed_ips = replace_allowed_ips;
    copy.name = name;
    copy.position = position;
    return copy;
}

Profile Profile::clone() const {
    Profile copy(name);
    if (private_key) copy.private_key = private_key->clone();
    copy.listen_port = listen_port;
    copy.fwmark = fwmark;
    copy.addresses = addresses;
    copy.dns_servers = dns_servers;
    copy.dns_search = dns_search;
    copy.mtu = mtu;
    copy.table = table;
    copy.pre_up = pre_up;
    copy.post_up = post_up;
    copy.pre_down = pre_down;
    copy.post_down = post_down;
    copy.save_config = save_config;
    copy.peers.reserve(peers.size());
    for (const auto& peer : peers)
        copy.peers.push_back(peer.clone());
    return copy;
}

} // namespace wgd
