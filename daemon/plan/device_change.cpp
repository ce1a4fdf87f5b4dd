// SPDX-License-Identifier: MIT
#include "daemon/plan/device_change.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace wgd::plan {
namespace {

void add_all(PeerDelta& delta, const std::vector<IpPrefix>& prefixes) {
    delta.replace_allowed_ips = true;
    delta.allowed_ips.reserve(prefixes.size());
    for (const IpPrefix& prefix : prefixes)
        delta.allowed_ips.push_back({prefix, false});
}

PeerDelta whole_peer(const DesiredPeer& peer) {
    PeerDelta delta;
    delta.public_key = peer.public_key;
    if (peer.preshared_key && !peer.preshared_key->is_zero())
        delta.preshared_key = peer.preshared_key->clone();
    delta.endpoint = peer.endpoint;
    if (peer.persistent_keepalive.value_or(0) != 0) delta.persistent_keepalive = peer.persistent_keepalive;
    add_all(delta, peer.allowed_ips);
    return delta;
}

// As it was, whatever became of it: every value is stated, also the ones that mean "none".
PeerDelta restore_peer(const WgPeer& peer) {
    PeerDelta delta;
    delta.public_key = peer.public_key;
    delta.preshared_key = peer.preshared_key.clone();
    delta.endpoint = peer.endpoint;
    delta.persistent_keepalive = peer.persistent_keepalive;
    add_all(delta, peer.allowed_ips);
    return delta;
}

PeerDelta removal(const PublicKey& key) {
    PeerDelta delta;
    delta.public_key = key;
    delta.remove = true;
    return delta;
}

// Which peer of the device is which of the wanted ones. The device lists them in the order they were given,
// which mostly is that of the profile: only from the first one on that is not as expected keys are looked up.
struct Pairs {
    std::vector<const WgPeer*> present;  // for each wanted peer; null: it is not there
    std::vector<const WgPeer*> unwanted; // in the device's order

    Pairs(const std::vector<DesiredPeer>& want, const std::vector<WgPeer>& have)
        : present(want.size(), nullptr) {
        std::size_t same = 0;
        for (; same < want.size() && same < have.size(); ++same) {
            if (want[same].public_key != have[same].public_key) break;
            present[same] = &have[same];
        }
        if (same == have.size()) return;
        std::unordered_map<PublicKey, std::size_t> rest;
        rest.reserve(want.size() - same);
        for (std::size_t i = same; i < want.size(); ++i)
            rest.emplace(want[i].public_key, i);
        for (std::size_t i = same; i < have.size(); ++i) {
            const auto found = rest.find(have[i].public_key);
            if (found == rest.end())
                unwanted.push_back(&have[i]);
            else
                present[found->second] = &have[i];
        }
    }
};

// The allowed IPs of all peers; collected when they are asked for, which most changes do not.
class Owners {
  public:
    explicit Owners(const DesiredDevice& device)
        : device_(device) {}
    [[nodiscard]] bool any(const IpPrefix& prefix) {
        if (!collected_)
            for (const DesiredPeer& peer : device_.peers)
                prefixes_.insert(peer.allowed_ips.begin(), peer.allowed_ips.end());
        collected_ = true;
        return prefixes_.count(prefix) != 0;
    }

  private:
    const DesiredDevice& device_;
    std::unordered_set<IpPrefix> prefixes_;
    bool collected_ = false;
};

struct AllowedIpChange {
    std::vector<IpPrefix> added;
    bool dropped = false; // some prefix goes, and no other peer takes it
    bool lost = false;    // some prefix goes to another peer
};

AllowedIpChange compare(const DesiredPeer& want, const WgPeer& have, Owners& owners) {
    AllowedIpChange change;
    if (want.allowed_ips == have.allowed_ips) return change; // of ten thousand peers all but one
    const std::unordered_set<IpPrefix> before(have.allowed_ips.begin(), have.allowed_ips.end());
    std::size_t kept = 0;
    for (const IpPrefix& prefix : want.allowed_ips) {
        if (before.count(prefix) != 0)
            ++kept;
        else
            change.added.push_back(prefix);
    }
    if (kept == before.size()) return change;
    const std::unordered_set<IpPrefix> after(want.allowed_ips.begin(), want.allowed_ips.end());
    for (const IpPrefix& prefix : have.allowed_ips) {
        if (after.count(prefix) != 0) continue;
        if (owners.any(prefix))
            change.lost = true;
        else
            change.dropped = true;
    }
    return change;
}

// Where a peer roamed to is newer than what a file says; it is replaced only when the file changed.
bool wants_endpoint(const DesiredPeer& want, const WgPeer& have) {
    return want.endpoint && want.endpoint != have.endpoint && (!have.endpoint || want.endpoint_changed);
}

void change_mark(const DesiredDevice& want, const WgDevice& have, DeviceChange& change) {
    if (!want.fwmark || *want.fwmark == have.fwmark) return;
    change.apply.fwmark = want.fwmark;
    change.undo.fwmark = have.fwmark;
}

} // namespace

DeviceDelta whole_device(const DesiredDevice& device) {
    DeviceDelta delta;
    if (device.private_key) delta.private_key = device.private_key->clone();
    delta.listen_port = device.listen_port;
    if (device.fwmark.value_or(0) != 0) delta.fwmark = device.fwmark;
    for (const DesiredPeer& peer : device.peers)
        delta.peers.push_back(whole_peer(peer));
    return delta;
}

DeviceDelta whole_device(const WgDevice& device) {
    DeviceDelta delta;
    if (!device.private_key.is_zero()) delta.private_key = device.private_key.clone();
    if (device.listen_port != 0) delta.listen_port = device.listen_port;
    delta.fwmark = device.fwmark;
    delta.replace_peers = true;
    for (const WgPeer& peer : device.peers)
        delta.peers.push_back(restore_peer(peer));
    return delta;
}

DeviceChange device_change(const DesiredDevice& want, const WgDevice& have, bool ignore_endpoints) {
    DeviceChange change;
    if (want.private_key && !(*want.private_key == have.private_key)) {
        change.apply.private_key = want.private_key->clone();
        change.undo.private_key = have.private_key.clone();
    }
    if (want.listen_port && *want.listen_port != have.listen_port) {
        change.apply.listen_port = want.listen_port;
        change.undo.listen_port = have.listen_port;
    }
    change_mark(want, have, change);

    const Pairs pairs(want.peers, have.peers);
    Owners owners(want);

    std::vector<PeerDelta> restored;
    // Peers that go make room first: their allowed IPs and, in the undo, come back last.
    for (const WgPeer* peer : pairs.unwanted) {
        if (want.guests.count(peer->public_key) != 0) continue;
        change.apply.peers.push_back(removal(peer->public_key));
        restored.push_back(restore_peer(*peer));
    }
    for (std::size_t i = 0; i < want.peers.size(); ++i) {
        const DesiredPeer& peer = want.peers[i];
        if (pairs.present[i] == nullptr) {
            change.apply.peers.push_back(whole_peer(peer));
            change.undo.peers.push_back(removal(peer.public_key));
            continue;
        }
        const WgPeer& old = *pairs.present[i];
        PeerDelta delta;
        delta.public_key = peer.public_key;
        delta.update_only = true;
        bool changed = false;
        if (peer.preshared_key && !(*peer.preshared_key == old.preshared_key)) {
            delta.preshared_key = peer.preshared_key->clone();
            changed = true;
        }
        if (peer.persistent_keepalive && *peer.persistent_keepalive != old.persistent_keepalive) {
            delta.persistent_keepalive = peer.persistent_keepalive;
            changed = true;
        }
        if (!ignore_endpoints && wants_endpoint(peer, old)) {
            delta.endpoint = peer.endpoint;
            changed = true;
            // WireGuard has no way to take an endpoint away again. A peer that had none has no session to
            // lose either: it is made anew.
            if (!old.endpoint) change.undo.peers.push_back(removal(peer.public_key));
        }
        AllowedIpChange ips = compare(peer, old, owners);
        if (ips.dropped) {
            // Removing one prefix needs a recent kernel (WGALLOWEDIP_F_REMOVE_ME); a new list works
            // everywhere.
            add_all(delta, peer.allowed_ips);
            changed = true;
        } else if (!ips.added.empty()) {
            for (const IpPrefix& prefix : ips.added)
                delta.allowed_ips.push_back({prefix, false});
            changed = true;
        }
        if (changed) change.apply.peers.push_back(std::move(delta));
        if (changed || ips.lost) restored.push_back(restore_peer(old));
    }
    std::move(restored.begin(), restored.end(), std::back_inserter(change.undo.peers));
    return change;
}

DeviceChange device_upkeep(const DesiredDevice& want, const WgDevice& have, bool ignore_endpoints) {
    DeviceChange change;
    change_mark(want, have, change);
    if (ignore_endpoints) return change;
    const Pairs pairs(want.peers, have.peers);
    for (std::size_t i = 0; i < want.peers.size(); ++i) {
        const DesiredPeer& peer = want.peers[i];
        const WgPeer* old = pairs.present[i];
        if (old == nullptr || !wants_endpoint(peer, *old)) continue;
        PeerDelta delta;
        delta.public_key = peer.public_key;
        delta.update_only = true;
        delta.endpoint = peer.endpoint;
        change.apply.peers.push_back(std::move(delta));
        if (!old->endpoint) change.undo.peers.push_back(removal(peer.public_key));
        change.undo.peers.push_back(restore_peer(*old));
    }
    return change;
}

std::set<PublicKey> guests_of(const DesiredDevice& want, const WgDevice& have) {
    const Pairs pairs(want.peers, have.peers);
    std::set<PublicKey> guests;
    for (const WgPeer* peer : pairs.unwanted)
        guests.insert(peer->public_key);
    for (std::size_t i = 0; i < want.peers.size(); ++i) {
        const DesiredPeer& asked = want.peers[i];
        const WgPeer* there = pairs.present[i];
        if (there == nullptr) continue;
        const bool shared = !there->preshared_key.is_zero();
        if ((shared && (!asked.preshared_key || asked.preshared_key->is_zero())) ||
            (there->persistent_keepalive != 0 && asked.persistent_keepalive.value_or(0) == 0))
            guests.insert(asked.public_key);
    }
    return guests;
}

std::optional<WgDevice> device_after(std::optional<WgDevice> before, const Plan& plan) {
    for (const Step& step : plan.steps) {
        const auto* inside = std::get_if<InNamespace>(&step.act);
        const Op& op = inside != nullptr && inside->box ? inside->box->op : step.act;
        if (!before || std::holds_alternative<CreateLink>(op) || std::holds_alternative<DeleteLink>(op))
            return std::nullopt;
        if (const auto* configure = std::get_if<ConfigureDevice>(&op)) apply(*before, *configure->delta);
    }
    return before;
}

} // namespace wgd::plan
