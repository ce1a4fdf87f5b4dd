// SPDX-License-Identifier: MIT
// Profile: what one /etc/wireguard/NAME.conf says, as values. Nothing in it is resolved, looked up or
// defaulted: an absent key is an absent value, a host name stays a name. Source: wg(8), wg-quick(8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ip.hpp"
#include "common/model/device.hpp"
#include "common/model/keys.hpp"
#include "common/model/names.hpp"

namespace wgd {

// Where something stands in the text. Lines and columns count from 1; columns count bytes.
struct SourcePosition {
    unsigned line = 0; // 0: not from a text
    unsigned column = 0;
    auto operator<=>(const SourcePosition&) const = default;
};

// Where a peer is reached, as written: "host:port" with host an address or a name.
struct EndpointSpec {
    std::string host;  // without brackets and scope: "vpn.example.org", "192.0.2.1", "2001:db8::1"
    std::string scope; // what followed '%', "" if nothing: "eth0", "3"
    std::uint16_t port = 0;
    std::string text; // as written, white space removed, for messages and for saving

    // The endpoint, if no look-up is needed for it: an IPv4 address (also the short forms of inet_aton(3),
    // which wg(8) accepts) or an IPv6 address without a scope or with a numeric one. A scope that is an
    // interface name has to be looked up by a caller who may ask the system.
    [[nodiscard]] std::optional<Endpoint> numeric() const;

    bool operator==(const EndpointSpec&) const = default;
};

// PreUp, PostUp, PreDown, PostDown: a shell command, as written ('#' included, "%i" not replaced).
struct Hook {
    std::string text;
    unsigned line = 0;
    bool operator==(const Hook& other) const { return text == other.text; }
};

// Table=: where wg-quick puts the routes.
struct TableAuto {
    bool operator==(const TableAuto&) const = default;
};
struct TableOff {
    bool operator==(const TableOff&) const = default;
};
struct TableNumber {
    std::uint32_t id = 0; // never 0
    bool operator==(const TableNumber&) const = default;
};
struct TableName { // from /etc/iproute2/rt_tables; looked up by whoever may read files
    std::string name;
    bool operator==(const TableName&) const = default;
};
using TableSpec = std::variant<TableAuto, TableOff, TableNumber, TableName>;

struct ProfilePeer {
    PublicKey public_key;
    std::optional<PresharedKey> preshared_key;
    std::optional<EndpointSpec> endpoint;
    std::optional<std::uint16_t> persistent_keepalive; // seconds, 0: off
    std::vector<AllowedIpDelta> allowed_ips;           // host bits cleared; in the order written
    bool replace_allowed_ips = true;                   // false once "+a.b.c.d/n" or "-a.b.c.d/n" was used
    std::string name;        // from a comment ("# friendly_name = x", "### Client x"...), "" if none
    SourcePosition position; // of its [Peer] line

    [[nodiscard]] ProfilePeer clone() const;
};

struct Profile {
    explicit Profile(ProfileName profile_name)
        : name(std::move(profile_name)) {}

    ProfileName name;
    std::optional<PrivateKey> private_key;    // absent: a hook is expected to set it
    std::optional<std::uint16_t> listen_port; // 0: any
    std::optional<std::uint32_t> fwmark;      // 0: "off" was written
    std::vector<IpPrefix> addresses;          // host bits kept
    std::vector<IpAddress> dns_servers;
    std::vector<std::string> dns_search; // search domains; "~domain" means: only for that domain
    std::optional<unsigned> mtu;         // kMinMtu..kMaxMtu
    TableSpec table = TableAuto{};
    std::vector<Hook> pre_up;
    std::vector<Hook> post_up;
    std::vector<Hook> pre_down;
    std::vector<Hook> post_down;
    bool save_config = false;
    std::vector<ProfilePeer> peers; // in the order written; a profile lists no key twice

    // A second owner of the same values, keys included; spelled out so that it can be found by reading.
    [[nodiscard]] Profile clone() const;
    [[nodiscard]] bool has_hooks() const {
        return !(pre_up.empty() && post_up.empty() && pre_down.empty() && post_down.empty());
    }
};

} // namespace wgd
