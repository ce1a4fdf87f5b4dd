// SPDX-License-Identifier: MIT
// What a profile wants to be true on this system. The story follows wg-quick's `up` (compat.md C5), but ends
// in a value instead of commands.
#include <algorithm>
#include <unordered_set>

#include "common/model/limits.hpp"
#include "common/model/marks.hpp"
#include "daemon/plan/exclusion.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/plan/mtu.hpp"
#include "daemon/plan/plan.hpp"
#include "daemon/plan/routing.hpp"

namespace wgd::plan {
namespace {

bool is_ipv6(const IpPrefix& prefix) {
    return prefix.family() == Family::kIpv6;
}

std::string link_conflict(const Link& link) {
    return "a link named '" + link.name + "' exists already and is not ours (" +
           (link.kind.empty() ? std::string("a physical device") : "kind " + link.kind) +
           "); it is left alone";
}

const WgPeer* find_peer(const std::optional<WgDevice>& device, const PublicKey& key) {
    if (!device) return nullptr;
    for (const WgPeer& peer : device->peers)
        if (peer.public_key == key) return &peer;
    return nullptr;
}

// Allowed IPs after all additions and removals of a peer's lines, without regard to other peers.
std::vector<IpPrefix> listed_ips(const ProfilePeer& peer, const std::optional<WgDevice>& device) {
    std::vector<IpPrefix> listed;
    if (peer.replace_allowed_ips) { // without a sign, and so without a removal
        listed.reserve(peer.allowed_ips.size());
        for (const AllowedIpDelta& item : peer.allowed_ips)
            listed.push_back(item.prefix);
        return listed;
    }
    std::unordered_set<IpPrefix> present;
    const auto add = [&](const IpPrefix& prefix) {
        if (present.insert(prefix).second) listed.push_back(prefix);
    };
    // wg(8): items with a sign change what the running peer has.
    if (const WgPeer* running = find_peer(device, peer.public_key))
        std::for_each(running->allowed_ips.begin(), running->allowed_ips.end(), add);
    for (const AllowedIpDelta& item : peer.allowed_ips) {
        if (!item.remove) {
            add(item.prefix);
        } else if (present.erase(item.prefix) != 0) {
            listed.erase(std::find(listed.begin(), listed.end(), item.prefix));
        }
    }
    return listed;
}

// wg-quick(8) replaces every "%i" and knows no way to write one that stays.
std::string for_link(std::string command, const std::string& link) {
    for (std::size_t at = 0; (at = command.find("%i", at)) != std::string::npos; at += link.size())
        command.replace(at, 2, link);
    return command;
}

class Derivation {
  public:
    Derivation(const Profile& profile, const ResolvedEndpoints& endpoints, const Policy& policy,
               const Snapshot& snapshot)
        : profile_(profile)
        , endpoints_(endpoints)
        , policy_(policy)
        , snapshot_(snapshot) {}

    Result<Desired> run() {
        want_.link = profile_.name.str();
        want_.alias = std::string(kLinkAliasPrefix) + profile_.name.str();
        want_.backend = policy_.backend;
        want_.netns = policy_.netns;
        want_.owned_rules = policy_.owned_rules;
        want_.applied_tables = policy_.applied_tables;
        want_.by_hooks = policy_.by_hooks; // whatever hooks the profile has come to have
        WGD_TRY(link_is_free_or_ours());
        if (exists_ && snapshot_.device_backend) want_.backend = *snapshot_.device_backend;
        if (exists_ && !policy_.owned_mark) policy_.owned_mark = mark_of_device(snapshot_);
        want_.owned_mark = policy_.owned_mark;
        choose_families();
        WGD_TRY(take_addresses());
        const std::vector<IpPrefix> prefixes = take_peers();
        take_mtu(prefixes);
        WGD_TRY(take_routing(prefixes));
        take_forwarding();
        take_firewall();
        take_namespace_dns();
        take_hooks();
        WGD_TRY(take_dns());
        take_interface();
        want_.device = std::make_shared<const DesiredDevice>(std::move(device_));
        return std::move(want_);
    }

  private:
    Result<void> link_is_free_or_ours() {
        const auto link = snapshot_.links.find(want_.link);
        if (link == snapshot_.links.end()) return {};
        if (link->second.alias != want_.alias) return fail(ErrorCode::kConflict, link_conflict(link->second));
        exists_ = true;
        return {};
    }

    void choose_families() {
        const bool asks =
            std::any_of(profile_.addresses.begin(), profile_.addresses.end(), is_ipv6) ||
            std::any_of(profile_.peers.begin(), profile_.peers.end(), [](const ProfilePeer& peer) {
                return std::any_of(peer.allowed_ips.begin(), peer.allowed_ips.end(),
                                   [](const AllowedIpDelta& ip) { return is_ipv6(ip.prefix); });
            });
        if (!asks) return;
        if (!snapshot_.ipv6_available) {
            want_.warnings.push_back(
                "IPv6 is disabled on this system: the tunnel's IPv6 addresses and routes are left out");
        } else if (profile_.mtu && *profile_.mtu < kMinIpv6Mtu) {
            // The kernel turns IPv6 off on a link with less (RFC 8200 section 5) and refuses its addresses.
            want_.warnings.push_back("MTU = " + std::to_string(*profile_.mtu) +
                                     " is less than the 1280 that IPv6 needs: "
                                     "the tunnel's IPv6 addresses and routes are left out");
        } else {
            ipv6_ = true;
        }
    }

    Result<void> take_addresses() {
        for (const IpPrefix& address : profile_.addresses) {
            if (is_ipv6(address) && !ipv6_) continue;
            if (std::find(want_.addresses.begin(), want_.addresses.end(), address) == want_.addresses.end())
                want_.addresses.push_back(address);
        }
        if (want_.addresses.empty() && !profile_.addresses.empty())
            return fail(ErrorCode::kUnsupported,
                        "the profile has IPv6 addresses only, and IPv6 cannot be used: " +
                            want_.warnings.back());
        return {};
    }

    // Fills the device's peers; returns all their allowed IPs that can be routed here, each once.
    std::vector<IpPrefix> take_peers() {
        device_.guests = policy_.by_hooks.peers;
        const PublicKey own = profile_.private_key && !profile_.private_key->is_zero()
                                  ? derive_public_key(*profile_.private_key)
                                  : PublicKey{};
        // Who asks for what, in the order of the profile; sorted below, which costs less than a map of them.
        struct Claim {
            IpPrefix prefix;
            std::size_t peer; // index in device_.peers
        };
        std::vector<Claim> claims;
        for (const ProfilePeer& peer : profile_.peers) {
            // The protocol cannot talk to itself: the kernel drops such a peer without a word.
            if (!own.is_zero() && peer.public_key == own) {
                want_.warnings.push_back("peer " + peer.public_key.to_base64() +
                                         " has this tunnel's own key and is left out");
                continue;
            }
            DesiredPeer& desired = device_.peers.emplace_back();
            desired.public_key = peer.public_key;
            if (peer.preshared_key) desired.preshared_key = peer.preshared_key->clone();
            desired.persistent_keepalive = peer.persistent_keepalive;
            if (policy_.by_hooks.peers.count(peer.public_key) == 0) {
                if (!desired.preshared_key) desired.preshared_key.emplace();
                if (!desired.persistent_keepalive) desired.persistent_keepalive = 0;
            }
            take_endpoint(desired);
            for (const IpPrefix& prefix : listed_ips(peer, snapshot_.device))
                claims.push_back({prefix, device_.peers.size() - 1});
        }
        std::stable_sort(claims.begin(), claims.end(),
                         [](const Claim& a, const Claim& b) { return a.prefix < b.prefix; });
        std::vector<IpPrefix> routable;
        routable.reserve(claims.size());
        for (std::size_t i = 0; i < claims.size(); ++i) {
            const auto& [prefix, index] = claims[i];
            if (i + 1 < claims.size() && claims[i + 1].prefix == prefix) {
                // The last one who asks has it, as in the kernel.
                const DesiredPeer& next = device_.peers[claims[i + 1].peer];
                if (claims[i + 1].peer != index)
                    want_.warnings.push_back(prefix.to_string() + " is in the AllowedIPs of two peers; " +
                                             next.public_key.to_base64() + " has it");
                continue;
            }
            device_.peers[index].allowed_ips.push_back(prefix);
            if (!is_ipv6(prefix) || ipv6_) routable.push_back(prefix);
        }
        return routable;
    }

    void take_endpoint(DesiredPeer& peer) {
        const auto resolved = endpoints_.find(peer.public_key);
        if (resolved == endpoints_.end()) return;
        peer.endpoint = resolved->second;
        const auto applied = policy_.applied_endpoints.find(peer.public_key);
        peer.endpoint_changed =
            (applied != policy_.applied_endpoints.end() && applied->second != resolved->second) ||
            policy_.renewed_endpoints.count(peer.public_key) != 0;
    }

    void take_mtu(const std::vector<IpPrefix>& prefixes) {
        if (policy_.by_hooks.mtu || profile_.mtu) {
            want_.mtu = policy_.by_hooks.mtu ? *policy_.by_hooks.mtu : *profile_.mtu;
            return;
        }
        const bool carries_ipv6 = std::any_of(want_.addresses.begin(), want_.addresses.end(), is_ipv6) ||
                                  std::any_of(prefixes.begin(), prefixes.end(), is_ipv6);
        want_.mtu = derive_mtu(snapshot_, want_.link, carries_ipv6, want_.warnings);
    }

    Result<void> take_routing(const std::vector<IpPrefix>& prefixes) {
        auto routing = derive_routing(want_.link, profile_.table, prefixes, want_.addresses, profile_.fwmark,
                                      policy_, snapshot_);
        WGD_TRY(routing);
        Exclusions exclusions =
            derive_exclusions(want_.link, policy_.exclude, *routing, want_.addresses, profile_.dns_servers);
        want_.routes = std::move(routing->routes);
        for (Route& route : exclusions.routes)
            want_.routes.push_back(std::move(route));
        std::stable_sort(want_.routes.begin(), want_.routes.end(), [](const Route& a, const Route& b) {
            return a.destination.length() > b.destination.length();
        });
        for (std::string& warning : exclusions.warnings)
            want_.warnings.push_back(std::move(warning));
        want_.rules = std::move(routing->rules);
        want_.mark = routing->mark;
        if (policy_.kill_switch) WGD_TRY(take_kill_switch());
        warn_of_the_other_family();
        const bool marks_ipv4 = std::any_of(want_.rules.begin(), want_.rules.end(),
                                            [](const Rule& rule) { return rule.family == Family::kIpv4; });
        if (marks_ipv4) {
            want_.sysctls.emplace(kSrcValidMark, "1");
            want_.sysctls_needed.emplace(kSrcValidMark);
        }
        // No longer a full tunnel after a reload: what was changed for it goes back.
        for (const auto& [key, value] : policy_.original_sysctls)
            if (policy_.sysctls_shared.count(key) == 0) want_.sysctls.emplace(key, value);
        return {};
    }

    void take_hooks() {
        if (!profile_.has_hooks()) return;
        if (!policy_.allow_hooks) {
            want_.warnings.push_back(
                "the profile's PreUp, PostUp, PreDown and PostDown are not run: hooks = false "
                "in wgd.toml");
            return;
        }
        const auto commands = [&](const std::vector<Hook>& hooks) {
            std::vector<std::string> texts;
            for (const Hook& hook : hooks)
                texts.push_back(for_link(hook.text, want_.link));
            return texts;
        };
        want_.hooks = {commands(profile_.pre_up), commands(profile_.post_up), commands(profile_.pre_down),
                       commands(profile_.post_down)};
        want_.hook_time_limit = policy_.hook_time_limit;
    }

    // What encrypted packets pass the kill switch by, also those of a tunnel that takes a part of the traffic
    // only; and no answer to who asks the local network for the address inside.
    Result<void> take_kill_switch() {
        if (!want_.mark && profile_.fwmark.value_or(0) != 0) want_.mark = profile_.fwmark;
        if (!want_.mark) want_.mark = policy_.owned_mark;
        if (!want_.mark) {
            const auto mark = allocate_mark(snapshot_);
            WGD_TRY(mark);
            want_.mark = *mark;
        }
        const auto arp_ignore = snapshot_.sysctls.find(std::string(kArpIgnore));
        if (arp_ignore == snapshot_.sysctls.end()) return {};
        want_.sysctls.emplace(kArpIgnore, arp_ignore->second == "0" ? "1" : arp_ignore->second);
        want_.sysctls_needed.emplace(kArpIgnore);
        if (std::any_of(profile_.peers.begin(), profile_.peers.end(),
                        [](const ProfilePeer& peer) { return !peer.endpoint; }))
            want_.warnings.push_back("the kill switch lets nothing in from a peer without an Endpoint: such "
                                     "a peer cannot connect");
        return {};
    }

    // A full tunnel of IPv4 only leaves IPv6 where it is, in clear.
    void warn_of_the_other_family() {
        if (policy_.kill_switch || want_.rules.empty() || !snapshot_.ipv6_available) return;
        if (std::any_of(want_.rules.begin(), want_.rules.end(),
                        [](const Rule& rule) { return rule.family == Family::kIpv6; }))
            return;
        if (std::any_of(snapshot_.routes.begin(), snapshot_.routes.end(), [&](const Route& route) {
                return route.destination.is_default() && is_ipv6(route.destination) &&
                       route.link != want_.link;
            }))
            want_.warnings.push_back(
                "this tunnel takes IPv4 only: IPv6 goes on in clear, unless AllowedIPs has "
                "::/0 or kill_switch = true is set in wgd.toml");
    }

    void take_forwarding() {
        Forwarding forwarding =
            derive_forwarding(policy_.gateway, want_.link, profile_.listen_port, snapshot_);
        for (const auto& [key, value] : forwarding.sysctls) {
            want_.sysctls.insert_or_assign(key, value);
            want_.sysctls_needed.insert(key);
        }
        want_.sysctls_moved = std::move(forwarding.moved);
        for (std::string& warning : forwarding.warnings)
            want_.warnings.push_back(std::move(warning));
    }

    // wg-quick's rules of a full tunnel (compat.md C6): nobody on the local network reaches the address
    // inside, and replies to our marked packets carry the mark again. And those of a gateway.
    void take_firewall() {
        TunnelTable table;
        table.link = want_.link;
        if (want_.mark && !want_.rules.empty()) {
            table.fwmark = want_.mark;
            table.probes = policy_.mtu_probe && !profile_.mtu;
            for (const IpPrefix& address : want_.addresses)
                table.local.push_back(address.address());
        }
        const bool full = !table.empty();
        table.masquerade = policy_.gateway.masquerade;
        table.masquerade_out = policy_.gateway.masquerade_out;
        table.mss_clamp = policy_.gateway.mss_clamp;
        table.isolate_peers = policy_.gateway.isolate_peers;
        if (table.empty()) return;
        if (!snapshot_.nftables_problem.empty()) {
            const auto without = [&](bool wanted, const char* what) {
                if (wanted)
                    want_.warnings.push_back(std::string("without ") + what + ": " +
                                             snapshot_.nftables_problem);
            };
            without(full, "the firewall rules of a full tunnel");
            without(table.masquerade, "masquerading");
            without(table.mss_clamp, "mss_clamp");
            without(table.isolate_peers, "isolate_peers: peers reach each other");
            return;
        }
        if (table.masquerade) {
            table.listen_ports = snapshot_.listen_ports;
            if (profile_.listen_port.value_or(0) != 0) table.listen_ports.insert(*profile_.listen_port);
        }
        want_.tables.push_back(render(table));
    }

    // By whoever owns resolv.conf now. Nobody there to be told is a warning: the tunnel is more than its DNS.
    Result<void> take_dns() {
        if (!want_.netns.empty()) return {}; // take_namespace_dns()
        DnsSettings settings = derive_dns(profile_);
        if (settings.servers.empty() &&
            std::any_of(profile_.dns_search.begin(), profile_.dns_search.end(),
                        [](const std::string& domain) { return domain.front() == '~'; }))
            want_.warnings.push_back(
                "DNS = ~domain says which names a DNS server is for: there is no server");
        if (settings.empty()) return {};
        const bool ipv6 = std::any_of(want_.addresses.begin(), want_.addresses.end(), is_ipv6) ||
                          std::any_of(want_.routes.begin(), want_.routes.end(),
                                      [](const Route& route) { return is_ipv6(route.destination); });
        DnsChoice choice = choose_dns_backend(snapshot_.dns.facts, policy_.dns, ipv6);
        want_.dns_reason = std::move(choice.reason);
        if (!choice.backend) {
            if (policy_.dns.none) return {};
            if (policy_.dns.required)
                return fail(ErrorCode::kUnsupported, "DNS cannot be set: " + want_.dns_reason);
            want_.warnings.push_back("DNS is not set: " + want_.dns_reason);
            return {};
        }
        if (std::string lacking = dns_shortcoming(settings, *choice.backend, snapshot_.dns.facts);
            !lacking.empty())
            want_.warnings.push_back(std::move(lacking));
        want_.dns = SetDns{want_.link, *choice.backend, std::move(settings), !policy_.dns.required};
        return {};
    }

    // The names of a namespace of its own are asked where the profile says, by whoever looks there
    // (ip-netns(8)).
    void take_namespace_dns() {
        if (want_.netns.empty() || profile_.dns_servers.empty()) return;
        if (!snapshot_.netns_dns.empty() &&
            snapshot_.netns_dns.rfind(namespace_dns_mark(want_.link), 0) != 0) {
            want_.warnings.push_back(
                "/etc/netns/" + want_.netns +
                "/resolv.conf is not this tunnel's: left as it is, DNS of the profile is not set");
            return;
        }
        std::string text = namespace_dns_mark(want_.link);
        for (const IpAddress& server : profile_.dns_servers)
            text += "nameserver " + server.to_string() + "\n";
        std::string domains;
        for (const std::string& domain : profile_.dns_search)
            domains += " " + domain.substr(domain.front() == '~' ? 1 : 0);
        if (!domains.empty()) text += "search" + domains + "\n";
        want_.netns_dns = std::move(text);
    }

    void take_interface() {
        if (profile_.private_key) device_.private_key = as_device_holds(*profile_.private_key);
        if (profile_.listen_port.value_or(0) != 0) device_.listen_port = profile_.listen_port;
        // A mark of ours that is no longer needed goes; a mark that a hook set, nobody else's business,
        // stays.
        if (want_.mark)
            device_.fwmark = want_.mark;
        else if (profile_.fwmark)
            device_.fwmark = profile_.fwmark;
        else if (policy_.owned_mark || policy_.fwmark_given)
            device_.fwmark = 0;
    }

    const Profile& profile_;
    const ResolvedEndpoints& endpoints_;
    Policy policy_;
    const Snapshot& snapshot_;
    bool exists_ = false;
    bool ipv6_ = false;
    DesiredDevice device_;
    Desired want_;
};

} // namespace

Result<Desired> derive_desired(const Profile& profile, const ResolvedEndpoints& endpoints,
                               const Policy& policy, const Snapshot& snapshot) {
    return Derivation(profile, endpoints, policy, snapshot).run();
}

std::string namespace_dns_mark(const std::string& link) {
    return std::string(kNamespaceDnsMark) + " for the tunnel " + link + "\n";
}

Desired derive_absent(const ProfileName& name, const Policy& policy) {
    Desired want;
    want.present = false;
    want.netns = policy.netns;
    want.link = name.str();
    want.alias = std::string(kLinkAliasPrefix) + name.str();
    want.backend = policy.backend;
    want.mark = policy.owned_mark;
    want.owned_mark = policy.owned_mark;
    want.owned_rules = policy.owned_rules;
    want.applied_tables = policy.applied_tables;
    want.hooks = policy.applied_hooks;
    want.hook_time_limit = policy.hook_time_limit;
    for (const auto& [key, value] : policy.original_sysctls)
        if (policy.sysctls_shared.count(key) == 0) want.sysctls.emplace(key, value);
    return want;
}

} // namespace wgd::plan
