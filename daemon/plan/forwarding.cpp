// SPDX-License-Identifier: MIT
#include "daemon/plan/forwarding.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "daemon/plan/snapshot.hpp"

namespace wgd::plan {
namespace {

constexpr std::uint8_t kRouterAdvertisement = 9; // RTPROT_RA
constexpr std::string_view kIpv4Links = "net/ipv4/conf/";
constexpr std::string_view kIpv6Links = "net/ipv6/conf/";
constexpr std::string_view kForwarding = "/forwarding";
constexpr std::string_view kAcceptRa = "/accept_ra";

bool starts(std::string_view text, std::string_view with) {
    return text.substr(0, with.size()) == with;
}
bool ends(std::string_view text, std::string_view with) {
    return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

std::string key(std::string_view family, std::string_view link, std::string_view value) {
    return std::string(family) + std::string(link) + std::string(value);
}

void turn_on(std::string_view which, const Snapshot& snapshot, Forwarding& into) {
    into.sysctls.emplace(which, "1");
    const auto now = snapshot.sysctls.find(std::string(which));
    // One that is on already is never turned off again by us, so that nothing moves.
    if (now == snapshot.sysctls.end() || now->second != "0") return;
    for (const auto& [moved, value] : snapshot.sysctls)
        if (switch_that_moves(moved) == which && value_after_switch(moved, "0") != value)
            into.moved.insert(moved);
}

void keep_router_advertisements(const Snapshot& snapshot, Forwarding& into) {
    for (const Route& route : snapshot.routes) {
        if (route.protocol != kRouterAdvertisement) continue;
        const std::string accept_ra = key(kIpv6Links, route.link, kAcceptRa);
        const auto now = snapshot.sysctls.find(accept_ra);
        if (now != snapshot.sysctls.end() && (now->second == "1" || now->second == "2"))
            into.sysctls.emplace(accept_ra, "2");
    }
}

int rank(const std::string& key, const std::string& value) {
    if (ends(key, kAcceptRa)) return value == "2" ? 0 : 3;
    return switch_that_moves(key).empty() ? 1 : 2;
}

} // namespace

std::string_view switch_that_moves(std::string_view key) {
    if (key == kForwardIpv4 || key == kForwardIpv6) return {};
    if (key == kAcceptRedirects) return kForwardIpv4;
    if (!ends(key, kForwarding)) return {};
    if (starts(key, kIpv4Links)) return kForwardIpv4;
    if (starts(key, kIpv6Links)) return kForwardIpv6;
    return {};
}

std::string_view value_after_switch(std::string_view key, std::string_view switch_value) {
    if (key == kAcceptRedirects) return switch_value == "0" ? "1" : "0";
    return switch_value;
}

std::vector<std::string> forwarding_keys(const std::vector<std::string>& links) {
    std::vector<std::string> keys{std::string(kForwardIpv4), std::string(kForwardIpv6),
                                  std::string(kAcceptRedirects), key(kIpv4Links, "default", kForwarding),
                                  key(kIpv6Links, "default", kForwarding)};
    for (const std::string& link : links) {
        keys.push_back(key(kIpv4Links, link, kForwarding));
        keys.push_back(key(kIpv6Links, link, kForwarding));
        keys.push_back(key(kIpv6Links, link, kAcceptRa));
    }
    return keys;
}

std::vector<std::pair<std::string, std::string>>
in_writing_order(const std::map<std::string, std::string>& sysctls) {
    std::vector<std::pair<std::string, std::string>> ordered(sysctls.begin(), sysctls.end());
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
        return rank(a.first, a.second) < rank(b.first, b.second);
    });
    return ordered;
}

std::string advice(const ForwardBarrier& barrier, const std::string& link,
                   std::optional<std::uint16_t> listen_port) {
    const std::uint16_t port = listen_port.value_or(0);
    switch (barrier.owner) {
    case ForwardBarrier::Owner::kDocker:
        return fmt::format("Docker's firewall drops what this tunnel forwards ({}): let it through with "
                           "`iptables -I DOCKER-USER -i {} -j ACCEPT` and `iptables -I DOCKER-USER -o {} -j "
                           "ACCEPT` (and ip6tables)",
                           barrier.where, link, link);
    case ForwardBarrier::Owner::kFirewalld:
        return fmt::format(
            "firewalld rejects what this tunnel forwards ({}): put the tunnel into a zone that "
            "may, `firewall-cmd --permanent --zone=trusted --add-interface={}`{}, and "
            "`firewall-cmd --reload`",
            barrier.where, link,
            port == 0 ? ""
                      : fmt::format(", open the port that its peers connect to, `firewall-cmd --permanent "
                                    "--add-port={}/udp`",
                                    port));
    case ForwardBarrier::Owner::kUfw:
        return fmt::format(
            "ufw drops what this tunnel forwards ({}): let it through with `ufw route allow in "
            "on {}` and `ufw route allow out on {}`{}",
            barrier.where, link, link,
            port == 0 ? "" : fmt::format(", and its peers in with `ufw allow {}/udp`", port));
    case ForwardBarrier::Owner::kOther:
        break;
    }
    return fmt::format("a firewall drops what this tunnel forwards ({}): add rules there that accept what "
                       "comes in by {} and what goes out by {}",
                       barrier.where, link, link);
}

Forwarding derive_forwarding(const Gateway& gateway, const std::string& link,
                             std::optional<std::uint16_t> listen_port, const Snapshot& snapshot) {
    Forwarding want;
    if (!gateway.forwards()) return want;
    turn_on(kForwardIpv4, snapshot, want);
    if (snapshot.ipv6_available) {
        keep_router_advertisements(snapshot, want);
        turn_on(kForwardIpv6, snapshot, want);
    }
    for (const ForwardBarrier& barrier : snapshot.forward_barriers)
        want.warnings.push_back(advice(barrier, link, listen_port));
    return want;
}

} // namespace wgd::plan
