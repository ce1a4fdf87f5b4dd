// SPDX-License-Identifier: MIT
// The planner: profile + snapshot -> desired state -> difference -> steps with undo. Pure: no system call, no
// clock, no log. Deterministic: the same inputs give the same plan in the same order.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/profile.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/plan/snapshot.hpp"

namespace wgd::plan {

// Host names of a profile resolved outside the planner; a peer without an entry has no endpoint yet.
using ResolvedEndpoints = std::map<PublicKey, Endpoint>;

// Lets replies to marked packets pass the reverse path filter (ip-sysctl.rst); needed by an IPv4 full tunnel.
inline constexpr std::string_view kSrcValidMark = "net/ipv4/conf/all/src_valid_mark";

// Keeps the other addresses of a subnet when the first one goes (ip-sysctl.rst); needed by a reload that
// replaces an address, of the link itself, gone with it. In a snapshot of an existing link.
std::string promote_secondaries_key(const std::string& link);

// With 1, ARP answers for an address come only from the link that has it (ip-sysctl.rst): without, whoever is
// on the local network can ask for the address inside the tunnel. Needed by a kill switch.
inline constexpr std::string_view kArpIgnore = "net/ipv4/conf/all/arp_ignore";

// The commands of a profile, "%i" replaced, in file order.
struct HookSet {
    std::vector<std::string> pre_up;
    std::vector<std::string> post_up;
    std::vector<std::string> pre_down;
    std::vector<std::string> post_down;

    bool operator==(const HookSet&) const = default;
};

// What the hooks made of the link while it came up, beside the profile: it stays, and goes with the link.
struct LinkByHooks {
    std::vector<IpPrefix> addresses;
    std::optional<std::uint32_t> mtu;
    std::set<PublicKey>
        peers; // added, or given a preshared key or a keepalive that the profile does not have

    bool operator==(const LinkByHooks&) const = default;
};

// What an administrator decided in wgd.toml for this tunnel, what the machine offers, and what our own
// records say belongs to this tunnel (kept over a restart of the daemon).
struct Policy {
    Backend backend = Backend::kKernel; // already chosen: control/backend_choice
    std::optional<std::uint32_t> owned_mark;
    std::vector<Rule> owned_rules; // with their priorities
    std::map<std::string, std::string>
        original_sysctls;                              // values before the first tunnel of ours changed them
    std::set<std::string> sysctls_shared;              // keys that another tunnel of ours still needs
    std::map<PublicKey, Endpoint> applied_endpoints;   // what we last gave a peer, not where it roamed to
    std::set<PublicKey> renewed_endpoints;             // to be set even where the peer roamed elsewhere
    bool fwmark_given = false;                         // the profile that was applied had a FwMark
    std::map<std::string, std::string> applied_tables; // nftables: name -> transaction that made it
    HookSet applied_hooks;                             // of the profile that the tunnel came up with
    Gateway gateway;
    std::vector<IpPrefix> exclude; // kept out of a /0
    bool mtu_probe = false;        // echo requests to the endpoints bear the mark as well
    bool kill_switch = false;      // closed: the tunnel needs a mark in any case
    std::string netns;             // the tunnel's network namespace; "" for the daemon's
    bool allow_hooks = true;
    std::uint32_t hook_time_limit = 60; // seconds
    LinkByHooks by_hooks;
    DnsPreference dns;
};

struct DesiredPeer {
    PublicKey public_key;
    std::optional<PresharedKey> preshared_key;         // zero: none; absent: leave it alone
    std::optional<Endpoint> endpoint;                  // absent: leave it alone
    bool endpoint_changed = false;                     // replace even an endpoint the peer roamed to
    std::optional<std::uint16_t> persistent_keepalive; // absent: leave it alone
    std::vector<IpPrefix> allowed_ips; // host bits cleared, ascending; each belongs to one peer only
};

// Absent values are not ours to say: a hook may have set the key, the kernel picks the port.
struct DesiredDevice {
    std::optional<PrivateKey> private_key;
    std::optional<std::uint16_t> listen_port;
    std::optional<std::uint32_t> fwmark; // 0: off
    std::vector<DesiredPeer> peers;      // in file order
    std::set<PublicKey> guests;          // other peers that may be there
};

// Everything a tunnel wants to be true. Not present: the tunnel is to be gone (down).
struct Desired {
    bool present = true;
    std::string link;
    std::string alias;
    std::string netns;     // "": the daemon's
    std::string netns_dns; // contents of its resolv.conf; "": none
    Backend backend = Backend::kKernel;
    std::shared_ptr<const DesiredDevice> device;
    std::vector<IpPrefix> addresses; // in file order
    std::uint32_t mtu = 0;
    std::vector<Rule> rules;                    // with priorities
    std::vector<Route> routes;                  // longest prefix first
    std::map<std::string, std::string> sysctls; // to be set, the ones to go back to their original among them
    std::set<std::string> sysctls_needed;       // to be kept while the tunnel is up
    std::set<std::string> sysctls_moved;        // changed along with those: to be remembered as they are
    std::vector<ReplaceTable> tables;           // nftables
    std::map<std::string, std::string> applied_tables; // from the policy: to go back to
    HookSet hooks;
    std::uint32_t hook_time_limit = 60; // seconds
    LinkByHooks by_hooks;               // from the policy
    std::optional<SetDns> dns;          // by whom, and what
    std::string dns_reason;             // why by them, or why not at all; empty: the profile has no DNS
    std::vector<std::string> warnings;

    std::optional<std::uint32_t> mark;       // fwmark == table of a full tunnel
    std::optional<std::uint32_t> owned_mark; // from the policy: the same, until now
    std::vector<Rule> owned_rules;           // from the policy: ours even where we no longer want them
    // Looking again after an apply: a peer that has already roamed is no difference.
    bool ignore_endpoints = false;
    // Upkeep, not a change that was asked for: of the device only the mark and endpoints are made right.
    // Keys, peers and allowed IPs that somebody has set with wg(8) since are what that somebody wants.
    bool upkeep = false;
};

// wg-quick(8)'s meaning of a profile (compat.md C5, C6), without its defects. kConflict when the link's name
// is taken by something that is not ours; kUnsupported when nothing of the profile can work here;
// kParse for a routing table that does not exist.
Result<Desired> derive_desired(const Profile& profile, const ResolvedEndpoints& endpoints,
                               const Policy& policy, const Snapshot& snapshot);
// The first line of the resolv.conf of a tunnel's namespace.
std::string namespace_dns_mark(const std::string& link);
// "Nothing of this tunnel": what `down` wants.
Desired derive_absent(const ProfileName& name, const Policy& policy);

// The steps that turn the snapshot into the desired state; empty iff converged. New things come before old
// ones go, so that a reload of a full tunnel never sends a packet in clear. kConflict when a route that is
// not ours is in the way.
Result<Plan> diff(const Desired& desired, const Snapshot& snapshot);

// First N >= kFirstAutoMark such that no rule, route table or device of the snapshot uses N, as fwmark or as
// table, and which is not in marks_in_use. kUnsupported when the range is exhausted.
Result<std::uint32_t> allocate_mark(const Snapshot& snapshot);

} // namespace wgd::plan
