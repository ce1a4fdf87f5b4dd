// SPDX-License-Identifier: MIT
#include "cli/tunnel_status.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace wgd::cli {
namespace {

constexpr std::size_t kLabelWidth = 12;

std::string line(std::size_t indent, std::string_view label, std::string_view value, const Style& style) {
    const std::size_t pad = label.size() < kLabelWidth ? kLabelWidth - label.size() : 1;
    return std::string(indent, ' ') + style.bold(std::string(label) + ":") + std::string(pad, ' ') +
           std::string(value) + "\n";
}

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items)
        text += (text.empty() ? "" : ", ") + printable(item);
    return text;
}

std::string state_text(const std::string& state, const Style& style) {
    const std::string text = printable(state);
    if (state == "up" || state == "active") return style.green(text);
    if (state == "failed" || state == "failing") return style.red(text);
    if (state == "down" || state == "never" || state == "idle") return style.dim(text);
    return style.yellow(text);
}

// " by resolved (/etc/resolv.conf is systemd-resolved's)"
std::string dns_keeper(const TunnelStatus& tunnel) {
    std::string text = tunnel.dns_backend.empty() ? ", not set" : " by " + printable(tunnel.dns_backend);
    if (!tunnel.dns_reason.empty()) text += " (" + printable(tunnel.dns_reason) + ")";
    return tunnel.dns_backend.empty() && tunnel.dns_reason.empty() ? "" : text;
}

std::string peer_text(const PeerStatus& peer, std::uint64_t now, const Style& style) {
    const std::string title = peer.name.empty() ? peer.public_key : printable(peer.name);
    std::string text = "\n  " + style.bold("peer ") + style.yellow(title) + "\n";
    if (!peer.name.empty()) text += line(4, "public key", peer.public_key, style);
    std::string state = state_text(peer.state, style);
    if (peer.latest_handshake != 0)
        state += ", handshake " + ago_text(peer.latest_handshake, now, style);
    else
        state += ", no handshake yet";
    text += line(4, "state", state, style);
    if (!peer.endpoint.empty() || !peer.endpoint_spec.empty()) {
        std::string where = peer.endpoint.empty() ? "not resolved" : peer.endpoint;
        if (!peer.endpoint_spec.empty() && peer.endpoint_spec != peer.endpoint)
            where += " (" + printable(peer.endpoint_spec) + ")";
        text += line(4, "endpoint", where, style);
    }
    text += line(4, "allowed ips", peer.allowed_ips.empty() ? "(none)" : joined(peer.allowed_ips), style);
    if (peer.rx_bytes != 0 || peer.tx_bytes != 0)
        text += line(4, "transfer",
                     bytes_text(peer.rx_bytes, style) + " received, " + bytes_text(peer.tx_bytes, style) +
                         " sent",
                     style);
    if (peer.persistent_keepalive != 0)
        text += line(4, "keepalive", "every " + duration_text(peer.persistent_keepalive, style), style);
    if (peer.has_preshared_key) text += line(4, "preshared", "yes", style);
    return text;
}

} // namespace

std::string status_text(const TunnelStatus& tunnel, std::uint64_t now, const Style& style) {
    std::string text = style.bold(printable(tunnel.name)) + ": " + state_text(tunnel.state, style) + "\n";
    if (!tunnel.last_error.empty()) text += line(2, "error", style.red(printable(tunnel.last_error)), style);
    if (tunnel.ifindex != 0) {
        text += line(
            2, "interface",
            fmt::format("{} (index {}), mtu {}", printable(tunnel.interface), tunnel.ifindex, tunnel.mtu) +
                (tunnel.path_mtu == 0 ? std::string() : fmt::format(" (path {}, measured)", tunnel.path_mtu)),
            style);
    }
    if (!tunnel.netns.empty()) text += line(2, "namespace", printable(tunnel.netns), style);
    if (!tunnel.backend.empty()) {
        std::string backend = printable(tunnel.backend);
        if (!tunnel.backend_reason.empty()) backend += " (" + printable(tunnel.backend_reason) + ")";
        text += line(2, "backend", backend, style);
    }
    if (tunnel.kill_switch == "on")
        text += line(2, "kill switch", "closed", style);
    else if (tunnel.kill_switch == "lan")
        text += line(2, "kill switch", "closed, but for the local network", style);
    if (!tunnel.addresses.empty()) text += line(2, "addresses", joined(tunnel.addresses), style);
    if (!tunnel.dns.empty()) text += line(2, "dns", joined(tunnel.dns) + dns_keeper(tunnel), style);
    if (!tunnel.public_key.empty()) text += line(2, "public key", tunnel.public_key, style);
    if (tunnel.listen_port != 0) text += line(2, "port", std::to_string(tunnel.listen_port), style);
    if (tunnel.fwmark != 0) text += line(2, "fwmark", fmt::format("{:#x}", tunnel.fwmark), style);
    for (const auto& warning : tunnel.warnings)
        text += line(2, "warning", style.yellow(printable(warning)), style);
    if (tunnel.drift_count != 0)
        text += line(2, "put back",
                     fmt::format("{} time{}, last: {}", tunnel.drift_count,
                                 tunnel.drift_count == 1 ? "" : "s", printable(tunnel.drift_last)),
                     style);
    for (const auto& left : tunnel.residue)
        text += line(2, "left behind", style.red(printable(left)), style);
    // People look for the peer that talks: latest handshake first, as `wg show` has it.
    std::vector<const PeerStatus*> peers;
    for (const auto& peer : tunnel.peers)
        peers.push_back(&peer);
    std::stable_sort(peers.begin(), peers.end(), [](const PeerStatus* a, const PeerStatus* b) {
        return a->latest_handshake > b->latest_handshake;
    });
    for (const auto* peer : peers)
        text += peer_text(*peer, now, style);
    return text;
}

std::string lockdown_text(const std::string& mode, const Style& style) {
    if (mode == "on") return line(0, "lockdown", "closed: nothing leaves outside of a tunnel", style);
    if (mode == "lan")
        return line(0, "lockdown", "closed: nothing leaves outside of a tunnel but to the local network",
                    style);
    return "";
}

std::string list_text(const std::vector<ProfileRow>& profiles, const Style& style) {
    std::size_t width = 0;
    for (const auto& profile : profiles)
        width = std::max(width, profile.name.size());
    std::string text;
    for (const auto& profile : profiles) {
        text += style.bold(printable(profile.name)) + std::string(width - profile.name.size() + 2, ' ') +
                state_text(profile.state, style);
        if (!profile.problem.empty()) text += "  " + style.red(printable(profile.problem));
        text += "\n";
    }
    return text;
}

nlohmann::ordered_json status_json(const std::vector<TunnelStatus>& tunnels, const std::string& lockdown) {
    nlohmann::ordered_json json{
        {"version", 1}, {"lockdown", lockdown}, {"tunnels", nlohmann::ordered_json::array()}};
    for (const auto& tunnel : tunnels) {
        nlohmann::ordered_json peers = nlohmann::ordered_json::array();
        for (const auto& peer : tunnel.peers)
            peers.push_back({{"public_key", peer.public_key},
                             {"name", peer.name},
                             {"state", peer.state},
                             {"endpoint", peer.endpoint},
                             {"endpoint_spec", peer.endpoint_spec},
                             {"allowed_ips", peer.allowed_ips},
                             {"persistent_keepalive", peer.persistent_keepalive},
                             {"has_preshared_key", peer.has_preshared_key},
                             {"latest_handshake", peer.latest_handshake},
                             {"rx_bytes", peer.rx_bytes},
                             {"tx_bytes", peer.tx_bytes}});
        json["tunnels"].push_back({{"name", tunnel.name},
                                   {"state", tunnel.state},
                                   {"last_error", tunnel.last_error},
                                   {"backend", tunnel.backend},
                                   {"backend_reason", tunnel.backend_reason},
                                   {"kill_switch", tunnel.kill_switch},
                                   {"interface", tunnel.interface},
                                   {"netns", tunnel.netns},
                                   {"ifindex", tunnel.ifindex},
                                   {"public_key", tunnel.public_key},
                                   {"listen_port", tunnel.listen_port},
                                   {"fwmark", tunnel.fwmark},
                                   {"mtu", tunnel.mtu},
                                   {"path_mtu", tunnel.path_mtu},
                                   {"addresses", tunnel.addresses},
                                   {"dns", tunnel.dns},
                                   {"dns_backend", tunnel.dns_backend},
                                   {"dns_reason", tunnel.dns_reason},
                                   {"warnings", tunnel.warnings},
                                   {"residue", tunnel.residue},
                                   {"drift", {{"count", tunnel.drift_count}, {"last", tunnel.drift_last}}},
                                   {"peers", std::move(peers)}});
    }
    return json;
}

nlohmann::ordered_json list_json(const std::vector<ProfileRow>& profiles) {
    nlohmann::ordered_json json{{"version", 1}, {"profiles", nlohmann::ordered_json::array()}};
    for (const auto& profile : profiles)
        json["profiles"].push_back({{"name", profile.name},
                                    {"path", profile.path},
                                    {"state", profile.state},
                                    {"problem", profile.problem}});
    return json;
}

std::string dump(const nlohmann::ordered_json& json) {
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace wgd::cli
