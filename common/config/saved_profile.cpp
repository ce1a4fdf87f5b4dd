// SPDX-License-Identifier: MIT
#include "common/config/saved_profile.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <unordered_set>

#include "common/config/editor.hpp"
#include "common/config/lexer.hpp"
#include "common/config/values.hpp"

namespace wgd {
namespace {

std::string joined(const std::vector<IpPrefix>& prefixes) {
    std::string text;
    for (const IpPrefix& prefix : prefixes)
        text += (text.empty() ? "" : ", ") + prefix.to_string();
    return text;
}

// A key as text, for as long as it is looked at.
class KeyText {
  public:
    template <class Key>
    explicit KeyText(const Key& key)
        : text_(key.reveal_base64()) {}
    ~KeyText() { sodium_memzero(text_.data(), text_.size()); }
    KeyText(const KeyText&) = delete;
    KeyText& operator=(const KeyText&) = delete;
    [[nodiscard]] std::string_view view() const { return text_; }

  private:
    std::string text_;
};

// What the lines of a peer come to, in the order written.
std::vector<IpPrefix> listed(const ProfilePeer& peer) {
    std::vector<IpPrefix> list;
    for (const AllowedIpDelta& item : peer.allowed_ips) {
        const IpPrefix prefix = item.prefix.network();
        const auto at = std::find(list.begin(), list.end(), prefix);
        if (item.remove) {
            if (at != list.end()) list.erase(at);
        } else if (at == list.end()) {
            list.push_back(prefix);
        }
    }
    return list;
}

// The running ones, those that were there before in their order.
std::vector<IpPrefix> in_order_of(const std::vector<IpPrefix>& before, const std::vector<IpPrefix>& running) {
    const std::unordered_set<IpPrefix> now(running.begin(), running.end());
    const std::unordered_set<IpPrefix> was(before.begin(), before.end());
    std::vector<IpPrefix> list;
    for (const IpPrefix& prefix : before)
        if (now.count(prefix) != 0) list.push_back(prefix);
    for (const IpPrefix& prefix : running)
        if (was.count(prefix) == 0) list.push_back(prefix);
    return list;
}

Parsed<IpPrefix> parse_allowed_network(std::string_view text) {
    auto prefix = parse_allowed_ip(text);
    if (prefix) *prefix = prefix->network();
    return prefix;
}

// From one list to another, on the lines that they stand on. Spaces inside of an item count for nothing, as
// in the parser.
ListEdit list_edit(const std::vector<IpPrefix>& before, const std::vector<IpPrefix>& after,
                   Parsed<IpPrefix> (*parse)(std::string_view)) {
    ListEdit edit;
    edit.stays = [now = std::set<IpPrefix>(after.begin(), after.end()), parse](std::string_view item) {
        std::string squeezed(item);
        squeezed.erase(std::remove_if(squeezed.begin(), squeezed.end(), is_space), squeezed.end());
        const auto prefix = parse(squeezed);
        return prefix && now.count(*prefix) != 0;
    };
    for (const IpPrefix& prefix : after)
        if (std::find(before.begin(), before.end(), prefix) == before.end())
            edit.added.push_back(prefix.to_string());
    return edit;
}

class Saver {
  public:
    Saver(std::string_view text, const Profile& profile, const RunningTunnel& running)
        : profile_(profile)
        , running_(running) {
        saved_.text.assign(text);
    }

    Result<SavedProfile> run() {
        WGD_TRY(interface());
        std::map<PublicKey, const WgPeer*> present;
        for (const WgPeer& peer : running_.device.peers)
            present.emplace(peer.public_key, &peer);
        std::set<PublicKey> known;
        for (const ProfilePeer& peer : profile_.peers) {
            known.insert(peer.public_key);
            // The kernel leaves out a peer with its own key; nobody has removed that.
            if (peer.public_key == running_.device.public_key) continue;
            const auto found = present.find(peer.public_key);
            if (found == present.end()) {
                WGD_TRY(edit(remove_peer(saved_.text, peer.public_key), name_of(peer) + " is removed"));
            } else {
                WGD_TRY(change(peer, *found->second));
            }
        }
        for (const WgPeer& peer : running_.device.peers)
            if (known.count(peer.public_key) == 0) WGD_TRY(add(peer));
        return std::move(saved_);
    }

  private:
    static std::string name_of(const ProfilePeer& peer) {
        return "peer " + peer.public_key.to_base64() + (peer.name.empty() ? "" : " (" + peer.name + ")");
    }

    Result<void> edit(Result<SecretText> text, std::string change) {
        WGD_TRY(text);
        saved_.text = std::move(*text);
        saved_.changes.push_back(std::move(change));
        return {};
    }
    Result<void> set(KeyId key, std::optional<std::string_view> value, std::string change) {
        return edit(set_interface_key(saved_.text, key, value), std::move(change));
    }

    Result<void> interface() {
        const WgDevice& device = running_.device;
        if (!device.private_key.is_zero() &&
            (profile_.private_key ? !(as_device_holds(*profile_.private_key) == device.private_key)
                                  : !profile_.has_hooks())) {
            const KeyText key(device.private_key);
            WGD_TRY(set(KeyId::kPrivateKey, key.view(), "PrivateKey is another one"));
        }
        if (profile_.listen_port.value_or(0) != 0 && *profile_.listen_port != device.listen_port)
            WGD_TRY(set(KeyId::kListenPort, std::to_string(device.listen_port),
                        fmt::format("ListenPort = {}", device.listen_port)));
        const std::uint32_t mark = running_.automatic_mark == device.fwmark ? 0 : device.fwmark;
        if (mark != profile_.fwmark.value_or(0) && !(profile_.fwmark && profile_.fwmark == device.fwmark)) {
            if (mark == 0)
                WGD_TRY(set(KeyId::kFwMark, std::nullopt, "FwMark is gone"));
            else
                WGD_TRY(set(KeyId::kFwMark, fmt::format("{:#x}", mark), fmt::format("FwMark = {:#x}", mark)));
        }
        WGD_TRY(addresses());
        if (profile_.mtu && running_.mtu != 0 && *profile_.mtu != running_.mtu)
            WGD_TRY(set(KeyId::kMtu, std::to_string(running_.mtu), fmt::format("MTU = {}", running_.mtu)));
        return {};
    }

    Result<void> addresses() {
        std::vector<IpPrefix> now = running_.addresses;
        if (!running_.ipv6) // left out when the tunnel came up, and not taken away by anybody
            std::copy_if(profile_.addresses.begin(), profile_.addresses.end(), std::back_inserter(now),
                         [](const IpPrefix& address) { return address.family() == Family::kIpv6; });
        const std::vector<IpPrefix> list = in_order_of(profile_.addresses, now);
        if (std::set<IpPrefix>(list.begin(), list.end()) ==
            std::set<IpPrefix>(profile_.addresses.begin(), profile_.addresses.end()))
            return {};
        return edit(edit_interface_list(saved_.text, KeyId::kAddress,
                                        list_edit(profile_.addresses, list, parse_address)),
                    list.empty() ? "Address is gone" : "Address = " + joined(list));
    }

    Result<void> change(const ProfilePeer& was, const WgPeer& now) {
        const std::string who = name_of(was);
        const auto set_peer = [&](KeyId key, std::optional<std::string_view> value, const std::string& what) {
            return edit(set_peer_key(saved_.text, was.public_key, key, value), who + ": " + what);
        };
        const bool had_key = was.preshared_key && !was.preshared_key->is_zero();
        if (now.preshared_key.is_zero()) {
            if (had_key) WGD_TRY(set_peer(KeyId::kPresharedKey, std::nullopt, "PresharedKey is gone"));
        } else if (!had_key || !(*was.preshared_key == now.preshared_key)) {
            const KeyText key(now.preshared_key);
            WGD_TRY(set_peer(KeyId::kPresharedKey, key.view(), "PresharedKey is another one"));
        }
        const std::vector<IpPrefix> before = listed(was);
        const std::vector<IpPrefix> ips = in_order_of(before, now.allowed_ips);
        // With + or - in them the lines are a change to something that they do not name.
        if (was.replace_allowed_ips &&
            std::set<IpPrefix>(ips.begin(), ips.end()) != std::set<IpPrefix>(before.begin(), before.end())) {
            WGD_TRY(edit(edit_peer_list(saved_.text, was.public_key, KeyId::kAllowedIps,
                                        list_edit(before, ips, parse_allowed_network)),
                         who + ": " + (ips.empty() ? "AllowedIPs is gone" : "AllowedIPs = " + joined(ips))));
        }
        if (was.endpoint && was.endpoint->numeric() && now.endpoint &&
            *was.endpoint->numeric() != *now.endpoint)
            WGD_TRY(set_peer(KeyId::kEndpoint, now.endpoint->to_string(),
                             "Endpoint = " + now.endpoint->to_string()));
        if (was.persistent_keepalive.value_or(0) != now.persistent_keepalive) {
            const std::string seconds = std::to_string(now.persistent_keepalive);
            if (now.persistent_keepalive == 0)
                WGD_TRY(set_peer(KeyId::kPersistentKeepalive, std::nullopt, "PersistentKeepalive is gone"));
            else
                WGD_TRY(set_peer(KeyId::kPersistentKeepalive, seconds, "PersistentKeepalive = " + seconds));
        }
        return {};
    }

    Result<void> add(const WgPeer& now) {
        ProfilePeer peer;
        peer.public_key = now.public_key;
        if (!now.preshared_key.is_zero()) peer.preshared_key = now.preshared_key.clone();
        for (const IpPrefix& prefix : now.allowed_ips)
            peer.allowed_ips.push_back({prefix, false});
        if (now.endpoint) {
            EndpointSpec spec;
            spec.text = now.endpoint->to_string();
            spec.host = now.endpoint->address.to_string();
            spec.port = now.endpoint->port;
            peer.endpoint = std::move(spec);
        }
        if (now.persistent_keepalive != 0) peer.persistent_keepalive = now.persistent_keepalive;
        return edit(add_peer(saved_.text, peer), name_of(peer) + " is added");
    }

    const Profile& profile_;
    const RunningTunnel& running_;
    SavedProfile saved_;
};

} // namespace

Result<SavedProfile> save_profile(std::string_view text, const Profile& profile,
                                  const RunningTunnel& running) {
    return Saver(text, profile, running).run();
}

} // namespace wgd
