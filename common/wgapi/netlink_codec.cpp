// SPDX-License-Identifier: MIT
#include "common/wgapi/netlink_codec.hpp"

#include <algorithm>
#include <linux/wireguard.h>

#include "common/wgapi/netlink_attributes.hpp"

namespace wgd::wgnl {
namespace {

// WGALLOWEDIP_A_FLAGS is younger than Debian 12's header.
constexpr std::uint16_t kAllowedIpFlags = 4;
constexpr std::uint32_t kAllowedIpRemove = 1;

constexpr std::uint32_t kRemovePeer = WGPEER_F_REMOVE_ME;
constexpr std::uint32_t kReplaceAllowedIps = WGPEER_F_REPLACE_ALLOWEDIPS;
constexpr std::uint32_t kUpdateOnly = WGPEER_F_UPDATE_ONLY;

constexpr std::uint16_t kUnnamed = 0;                      // list members carry no meaning in their type
constexpr std::size_t kAllowedIpRoom = 4 + 8 + 20 + 8 + 8; // nest, family, IPv6 address, length, flags
constexpr std::size_t kPeerRoom =
    4 + 36 + 36 + 8 + 32 + 8 + 4; // nest, keys, flags, endpoint, keepalive, nest

// Writes one delta into as many messages as it needs, keeping open what the next attribute goes into.
class SetWriter {
  public:
    SetWriter(std::string_view interface, const DeviceDelta& delta, std::size_t max_payload)
        : interface_(interface)
        , delta_(delta)
        , max_payload_(std::clamp<std::size_t>(max_payload, 256, 60000)) {} // a nest's length has 16 bits

    std::vector<SecretBytes> write() && {
        open_message();
        if (delta_.private_key) message_.put(WGDEVICE_A_PRIVATE_KEY, delta_.private_key->expose());
        if (delta_.listen_port) message_.put_int<std::uint16_t>(WGDEVICE_A_LISTEN_PORT, *delta_.listen_port);
        if (delta_.fwmark) message_.put_int<std::uint32_t>(WGDEVICE_A_FWMARK, *delta_.fwmark);
        if (delta_.replace_peers) message_.put_int<std::uint32_t>(WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
        if (!delta_.peers.empty()) peers_ = message_.begin(WGDEVICE_A_PEERS);
        for (const auto& peer : delta_.peers)
            write_peer(peer);
        if (!delta_.peers.empty()) message_.end(peers_);
        messages_.push_back(std::move(message_).take());
        return std::move(messages_);
    }

  private:
    void open_message() {
        message_ = AttributeWriter{};
        message_.put_string(WGDEVICE_A_IFNAME, interface_);
    }

    void next_message() { // from inside the list of peers
        message_.end(peers_);
        messages_.push_back(std::move(message_).take());
        open_message();
        peers_ = message_.begin(WGDEVICE_A_PEERS);
    }

    void write_peer(const PeerDelta& peer) {
        if (message_.size() + kPeerRoom + kAllowedIpRoom > max_payload_) next_message();
        auto nest = message_.begin(kUnnamed);
        message_.put(WGPEER_A_PUBLIC_KEY, peer.public_key.bytes());
        const std::uint32_t lasting = peer.update_only ? kUpdateOnly : 0;
        put_flags(peer.remove ? kRemovePeer : lasting | (peer.replace_allowed_ips ? kReplaceAllowedIps : 0));
        if (peer.remove) return message_.end(nest);
        if (peer.preshared_key) message_.put(WGPEER_A_PRESHARED_KEY, peer.preshared_key->expose());
        if (peer.endpoint) {
            sockaddr_storage address{};
            const auto length = peer.endpoint->to_sockaddr(address);
            message_.put(WGPEER_A_ENDPOINT, {reinterpret_cast<const std::uint8_t*>(&address), length});
        }
        if (peer.persistent_keepalive)
            message_.put_int<std::uint16_t>(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
                                            *peer.persistent_keepalive);
        if (peer.allowed_ips.empty()) return message_.end(nest);
        auto list = message_.begin(WGPEER_A_ALLOWEDIPS);
        for (const auto& ip : peer.allowed_ips) {
            if (message_.size() + kAllowedIpRoom > max_payload_) {
                message_.end(list);
                message_.end(nest);
                next_message();
                nest = message_.begin(kUnnamed);
                message_.put(WGPEER_A_PUBLIC_KEY, peer.public_key.bytes());
                put_flags(lasting); // or the rest of an update would create the peer after all
                list = message_.begin(WGPEER_A_ALLOWEDIPS);
            }
            write_allowed_ip(ip);
        }
        message_.end(list);
        message_.end(nest);
    }

    void put_flags(std::uint32_t flags) {
        if (flags != 0) message_.put_int<std::uint32_t>(WGPEER_A_FLAGS, flags);
    }

    void write_allowed_ip(const AllowedIpDelta& ip) {
        const auto nest = message_.begin(kUnnamed);
        const auto& address = ip.prefix.address();
        message_.put_int<std::uint16_t>(WGALLOWEDIP_A_FAMILY, static_cast<std::uint16_t>(address.af()));
        message_.put(WGALLOWEDIP_A_IPADDR, address.bytes());
        message_.put_int<std::uint8_t>(WGALLOWEDIP_A_CIDR_MASK,
                                       static_cast<std::uint8_t>(ip.prefix.length()));
        if (ip.remove) message_.put_int<std::uint32_t>(kAllowedIpFlags, kAllowedIpRemove);
        message_.end(nest);
    }

    std::string_view interface_;
    const DeviceDelta& delta_;
    std::size_t max_payload_;
    std::vector<SecretBytes> messages_;
    AttributeWriter message_;
    std::size_t peers_ = 0;
};

Failure malformed(std::string_view what) {
    return fail(ErrorCode::kProtocol, "the kernel's answer has a malformed " + std::string(what));
}

template <class Int>
bool read(const Attribute& attribute, Int& out) {
    const auto value = attribute.as<Int>();
    if (value) out = *value;
    return value.has_value();
}

bool read_bytes(const Attribute& attribute, ByteSpan out) {
    if (attribute.value.size() != out.size()) return false;
    std::copy(attribute.value.begin(), attribute.value.end(), out.begin());
    return true;
}

bool read(const Attribute& attribute, PublicKey& out) {
    std::array<std::uint8_t, kKeySize> bytes{};
    const bool good = read_bytes(attribute, bytes);
    out = PublicKey(bytes);
    return good;
}

bool read_endpoint(const Attribute& attribute, std::optional<Endpoint>& out) {
    sockaddr_storage address{};
    if (attribute.value.size() > sizeof address) return false;
    std::memcpy(&address, attribute.value.data(), attribute.value.size());
    out = Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&address),
                                  static_cast<socklen_t>(attribute.value.size()));
    return out.has_value();
}

bool read_handshake(const Attribute& attribute, WallTime& out) {
    struct { // __kernel_timespec, which the kernel's header wants <linux/time_types.h> for
        std::int64_t seconds;
        std::int64_t nanoseconds;
    } stamp{};
    if (attribute.value.size() != sizeof stamp) return false;
    std::memcpy(&stamp, attribute.value.data(), sizeof stamp);
    if (stamp.seconds < 0 || stamp.seconds > 9'000'000'000 || stamp.nanoseconds < 0 ||
        stamp.nanoseconds >= 1'000'000'000)
        return false;
    out = WallTime(std::chrono::seconds(stamp.seconds) + std::chrono::nanoseconds(stamp.nanoseconds));
    return true;
}

bool read_allowed_ip(ByteView attributes, std::vector<IpPrefix>& out) {
    std::optional<IpAddress> address;
    std::uint16_t family = 0;
    std::uint8_t length = 255;
    AttributeReader reader(attributes);
    for (Attribute each; reader.next(each);) {
        bool good = true;
        if (each.type == WGALLOWEDIP_A_FAMILY)
            good = read(each, family);
        else if (each.type == WGALLOWEDIP_A_IPADDR)
            good = (address = IpAddress::from_bytes(each.value)).has_value();
        else if (each.type == WGALLOWEDIP_A_CIDR_MASK)
            good = read(each, length);
        if (!good) return false;
    }
    if (reader.malformed() || !address || address->af() != family) return false;
    const auto prefix = IpPrefix::make(*address, length);
    if (prefix) out.push_back(prefix->network());
    return prefix.has_value();
}

bool read_allowed_ips(ByteView attributes, std::vector<IpPrefix>& out) {
    AttributeReader reader(attributes);
    for (Attribute each; reader.next(each);)
        if (!read_allowed_ip(each.value, out)) return false;
    return !reader.malformed();
}

} // namespace

SecretBytes encode_get(std::string_view interface) {
    AttributeWriter writer;
    writer.put_string(WGDEVICE_A_IFNAME, interface);
    return std::move(writer).take();
}

std::vector<SecretBytes> encode_set(std::string_view interface, const DeviceDelta& delta,
                                    std::size_t max_payload) {
    return SetWriter(interface, delta, max_payload).write();
}

Result<void> DeviceDump::add(ByteView attributes) {
    first_peer_of_message_ = true;
    AttributeReader reader(attributes);
    for (Attribute each; reader.next(each);) {
        bool good = true;
        switch (each.type) {
        case WGDEVICE_A_IFINDEX:
            device_.ifindex = each.as<std::uint32_t>();
            good = device_.ifindex.has_value();
            break;
        case WGDEVICE_A_IFNAME:
            device_.name = std::string(each.as_string());
            break;
        case WGDEVICE_A_PRIVATE_KEY:
            good = read_bytes(each, device_.private_key.expose_mut());
            break;
        case WGDEVICE_A_PUBLIC_KEY:
            good = read(each, device_.public_key);
            break;
        case WGDEVICE_A_LISTEN_PORT:
            good = read(each, device_.listen_port);
            break;
        case WGDEVICE_A_FWMARK:
            good = read(each, device_.fwmark);
            break;
        case WGDEVICE_A_PEERS: {
            AttributeReader peers(each.value);
            for (Attribute peer; peers.next(peer);)
                WGD_TRY(add_peer(peer.value));
            good = !peers.malformed();
            break;
        }
        default:
            break; // of a newer kernel
        }
        if (!good) return malformed("device");
    }
    if (reader.malformed()) return malformed("message");
    return {};
}

Result<void> DeviceDump::add_peer(ByteView attributes) {
    WgPeer peer;
    bool has_key = false;
    AttributeReader reader(attributes);
    for (Attribute each; reader.next(each);) {
        bool good = true;
        switch (each.type) {
        case WGPEER_A_PUBLIC_KEY:
            good = has_key = read(each, peer.public_key);
            break;
        case WGPEER_A_PRESHARED_KEY:
            good = read_bytes(each, peer.preshared_key.expose_mut());
            break;
        case WGPEER_A_ENDPOINT:
            good = read_endpoint(each, peer.endpoint);
            break;
        case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
            good = read(each, peer.persistent_keepalive);
            break;
        case WGPEER_A_LAST_HANDSHAKE_TIME:
            good = read_handshake(each, peer.latest_handshake);
            break;
        case WGPEER_A_RX_BYTES:
            good = read(each, peer.rx_bytes);
            break;
        case WGPEER_A_TX_BYTES:
            good = read(each, peer.tx_bytes);
            break;
        case WGPEER_A_ALLOWEDIPS:
            good = read_allowed_ips(each.value, peer.allowed_ips);
            break;
        default:
            break;
        }
        if (!good) return malformed("peer");
    }
    if (reader.malformed() || !has_key) return malformed("peer");
    const bool may_continue = std::exchange(first_peer_of_message_, false);
    if (may_continue && !device_.peers.empty() && device_.peers.back().public_key == peer.public_key) {
        auto& ips = device_.peers.back().allowed_ips;
        ips.insert(ips.end(), peer.allowed_ips.begin(), peer.allowed_ips.end());
    } else {
        device_.peers.push_back(std::move(peer));
    }
    return {};
}

WgDevice DeviceDump::finish() && {
    return std::move(device_);
}

} // namespace wgd::wgnl
