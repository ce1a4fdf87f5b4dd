// SPDX-License-Identifier: MIT
#include "tests/golden/profile_dump.hpp"

#include <fmt/format.h>

namespace wgd::golden {
namespace {

struct Lines {
    std::string out;
    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        out += fmt::format(format, std::forward<Args>(args)...) + "\n";
    }
};

std::string to_string(const TableSpec& table) {
    if (std::holds_alternative<TableAuto>(table)) return "auto";
    if (std::holds_alternative<TableOff>(table)) return "off";
    if (const auto* number = std::get_if<TableNumber>(&table)) return fmt::format("number {}", number->id);
    return fmt::format("name {}", std::get<TableName>(table).name);
}

void add_hooks(Lines& lines, std::string_view name, const std::vector<Hook>& hooks) {
    for (const auto& hook : hooks)
        lines.add("{} (line {}): {}", name, hook.line, hook.text);
}

void add_peer(Lines& lines, const ProfilePeer& peer) {
    lines.add("peer {} (line {})", peer.public_key.to_base64(), peer.position.line);
    if (!peer.name.empty()) lines.add("  name: {}", peer.name);
    if (peer.preshared_key) lines.add("  preshared key: {}", peer.preshared_key->reveal_base64());
    if (peer.endpoint) {
        const auto numeric = peer.endpoint->numeric();
        lines.add("  endpoint: host {} scope '{}' port {} -> {}", peer.endpoint->host, peer.endpoint->scope,
                  peer.endpoint->port, numeric ? numeric->to_string() : "look-up");
    }
    if (peer.persistent_keepalive) lines.add("  keepalive: {}", *peer.persistent_keepalive);
    for (const auto& ip : peer.allowed_ips)
        lines.add("  allowed ip: {}{}", ip.remove ? "-" : "", ip.prefix.to_string());
    if (!peer.replace_allowed_ips) lines.add("  allowed ips are changes");
}

} // namespace

std::string dump(const ParseOutcome& outcome, std::string_view file) {
    Lines lines;
    lines.out = format(outcome.diagnostics, file);
    if (!outcome.profile) return lines.out;
    const auto& profile = *outcome.profile;
    if (profile.private_key) lines.add("private key: {}", profile.private_key->reveal_base64());
    if (profile.listen_port) lines.add("listen port: {}", *profile.listen_port);
    if (profile.fwmark) lines.add("fwmark: {:#x}", *profile.fwmark);
    for (const auto& address : profile.addresses)
        lines.add("address: {}", address.to_string());
    for (const auto& server : profile.dns_servers)
        lines.add("dns server: {}", server.to_string());
    for (const auto& domain : profile.dns_search)
        lines.add("dns search: {}", domain);
    if (profile.mtu) lines.add("mtu: {}", *profile.mtu);
    lines.add("table: {}", to_string(profile.table));
    add_hooks(lines, "pre up", profile.pre_up);
    add_hooks(lines, "post up", profile.post_up);
    add_hooks(lines, "pre down", profile.pre_down);
    add_hooks(lines, "post down", profile.post_down);
    if (profile.save_config) lines.add("save config");
    for (const auto& peer : profile.peers)
        add_peer(lines, peer);
    return lines.out;
}

} // namespace wgd::golden
