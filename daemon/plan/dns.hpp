// SPDX-License-Identifier: MIT
// What a tunnel wants of the system's name resolution, and who is to be asked for it. Pure: the facts come
// from daemon/sys/dns_facts, the texts that are handed over from dns_text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"

namespace wgd {
struct Profile;
}

namespace wgd::plan {

struct DnsSettings {
    std::vector<IpAddress> servers;
    std::vector<std::string> search;     // completes short names, and is looked up at `servers`
    std::vector<std::string> route_only; // "~corp.example" in the profile, without the '~'
    bool exclusive = false;              // all look-ups go to `servers` (wg-quick's `resolvconf -x`)

    [[nodiscard]] bool empty() const { return servers.empty() && search.empty() && route_only.empty(); }
    // `servers` are for the domains named here, and for nothing else.
    [[nodiscard]] bool split() const { return !servers.empty() && !exclusive; }
    bool operator==(const DnsSettings&) const = default;
};

// DNS= of a profile. As wg-quick: servers take over all look-ups; unless a "~domain" beside them says that
// they are for certain domains only. "~." is all domains. Without a server a "~domain" means nothing, and is
// left out.
DnsSettings derive_dns(const Profile& profile);

// Programs that keep the system's name servers, and "nobody", which is a file.
enum class DnsBackend : std::uint8_t { kResolved, kResolvconf, kNetworkManager, kFile };
std::string_view to_string(DnsBackend backend); // "resolved", "resolvconf", "networkmanager", "file"
std::optional<DnsBackend> parse_dns_backend(std::string_view word);

// What an administrator asks for in wgd.toml (dns = "...").
struct DnsPreference {
    bool none = false;                 // leave the system's name resolution alone
    std::optional<DnsBackend> backend; // nullopt: by what owns resolv.conf
    bool required = false;             // a tunnel whose DNS cannot be set does not come up

    bool operator==(const DnsPreference&) const = default;
};

enum class ResolvconfKind : std::uint8_t { kNone, kOpenresolv, kDebian, kResolvectl };

// Who has a hand in /etc/resolv.conf right now.
struct DnsFacts {
    bool resolv_conf_exists = false;
    std::string link_target; // of /etc/resolv.conf if it is a symbolic link, else empty
    std::string head;        // the first kilobytes of what a reader of it gets
    bool writable = true;    // false: on a read-only file system, or immutable
    bool resolved_running = false;
    bool network_manager_running = false;
    bool glibc_asks_resolved = false; // nsswitch.conf(5): hosts: ... resolve
    std::string resolvconf;           // path of the program, empty if there is none
    ResolvconfKind resolvconf_kind = ResolvconfKind::kNone;
    std::string
        resolvconf_prefix; // "tun.": what Debian's interface-order(5) puts in front of other interfaces

    bool operator==(const DnsFacts&) const = default;
};

struct DnsChoice {
    std::optional<DnsBackend> backend; // nullopt: nobody can be told, or is to be
    std::string reason;                // "/etc/resolv.conf is systemd-resolved's"
};

// By what really owns resolv.conf; a preference overrides, and the reason says so.
// `ipv6`: the tunnel has IPv6 addresses or routes.
DnsChoice choose_dns_backend(const DnsFacts& facts, const DnsPreference& preference, bool ipv6 = false);

// What of these settings a back end cannot do, as a sentence for the user; empty: it can do all.
std::string dns_shortcoming(const DnsSettings& settings, DnsBackend backend, const DnsFacts& facts);

// What a back end holds of a tunnel.
struct DnsApplied {
    DnsSettings settings;
    bool intact =
        true; // false: somebody else has overwritten or forgotten it; there may be something to clear
    bool operator==(const DnsApplied&) const = default;
};

// Part of a snapshot.
struct DnsView {
    DnsFacts facts;
    std::map<DnsBackend, DnsApplied> applied; // for the scope's link
    // Why the last attempt to set the scope's link failed; empty: it did not, or something has changed since,
    // such that another attempt is worth it.
    std::string problem;
};

} // namespace wgd::plan
