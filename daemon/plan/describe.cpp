// SPDX-License-Identifier: MIT
// Ops as the commands an administrator would type. Shown by `wgctl plan`, logged, and named in errors.
#include <algorithm>
#include <fmt/format.h>

#include "daemon/plan/op.hpp"

namespace wgd::plan {
namespace {

constexpr std::size_t kPeersShown = 32; // a line is for reading; ten thousand peers are not

std::string_view family_flag(Family family) {
    return family == Family::kIpv4 ? "-4" : "-6";
}

std::string table_name(std::uint32_t table) {
    return table == kMainTable ? "main" : std::to_string(table);
}

std::string rule_text(const Rule& rule) {
    std::string text;
    if (rule.invert) text += " not";
    if (rule.fwmark) text += fmt::format(" fwmark {:#x}", *rule.fwmark);
    text += " table " + table_name(rule.table);
    if (rule.suppress_prefixlength)
        text += fmt::format(" suppress_prefixlength {}", *rule.suppress_prefixlength);
    if (rule.priority) text += fmt::format(" priority {}", *rule.priority);
    if (rule.protocol != 0) text += fmt::format(" protocol {}", rule.protocol);
    return text;
}

std::string route_text(const Route& route) {
    std::string text = route.destination.is_default() ? "default" : route.destination.to_string();
    if (route.type == RouteType::kThrow)
        text.insert(0, "throw ");
    else
        text += " dev " + route.link;
    if (route.table != kMainTable) text += fmt::format(" table {}", route.table);
    if (route.metric != 0) text += fmt::format(" metric {}", route.metric);
    if (route.protocol != 0) text += fmt::format(" proto {}", route.protocol);
    return text;
}

std::string peer_text(const PeerDelta& peer) {
    std::string text = " peer " + peer.public_key.to_base64();
    if (peer.remove) return text + " remove";
    if (peer.preshared_key)
        text += peer.preshared_key->is_zero() ? " preshared-key /dev/null" : " preshared-key (hidden)";
    if (peer.endpoint) text += " endpoint " + peer.endpoint->to_string();
    if (peer.persistent_keepalive)
        text += *peer.persistent_keepalive == 0
                    ? std::string(" persistent-keepalive off")
                    : fmt::format(" persistent-keepalive {}", *peer.persistent_keepalive);
    if (peer.replace_allowed_ips || !peer.allowed_ips.empty()) {
        text += " allowed-ips ";
        std::string_view separator;
        for (const AllowedIpDelta& ip : peer.allowed_ips) {
            text += separator;
            // wg(8): an item with a sign changes the list instead of replacing it.
            if (ip.remove)
                text += '-';
            else if (!peer.replace_allowed_ips)
                text += '+';
            text += ip.prefix.to_string();
            separator = ",";
        }
        if (peer.allowed_ips.empty()) text += "\"\"";
    }
    return text;
}

// sysctl(8) separates with dots; a dot in a component (an interface's name) becomes a slash.
std::string sysctl_name(std::string key) {
    for (char& c : key)
        c = c == '/' ? '.' : c == '.' ? '/' : c;
    return key;
}

// The names of the chains in a rendered table; its rules are too long for a line.
std::string chains_of(const std::string& transaction) {
    const std::string_view marker = "    chain ";
    std::string names;
    for (std::size_t at = transaction.find(marker); at != std::string::npos;
         at = transaction.find(marker, at + 1)) {
        const std::size_t begin = at + marker.size();
        names +=
            (names.empty() ? "" : ", ") + transaction.substr(begin, transaction.find(' ', begin) - begin);
    }
    return names;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words)
        text += " " + word;
    return text;
}

std::string dns_text(const SetDns& op) {
    std::vector<std::string> servers;
    for (const IpAddress& server : op.settings.servers)
        servers.push_back(server.to_string());
    std::vector<std::string> domains = op.settings.search;
    for (const std::string& domain : op.settings.route_only)
        domains.push_back("~" + domain);
    std::string what = joined(servers);
    switch (op.backend) {
    case DnsBackend::kResolved:
        if (op.settings.exclusive) domains.emplace_back("~.");
        if (!servers.empty()) what = "resolvectl dns " + op.link + what + "; ";
        return what + "resolvectl domain " + op.link + joined(domains) + "; resolvectl default-route " +
               op.link + (op.settings.exclusive ? " yes" : " no");
    case DnsBackend::kResolvconf:
        return "resolvconf -a " + op.link + (op.settings.exclusive ? " -m 0 -x" : " -m 0") + "  #" + what +
               joined(domains);
    case DnsBackend::kNetworkManager:
        return "nmcli device modify " + op.link + " ipv4.dns, ipv6.dns" + what +
               (domains.empty() ? "" : " dns-search" + joined(domains));
    case DnsBackend::kFile:
        break;
    }
    return "write /etc/resolv.conf for " + op.link + ":" + (servers.empty() ? "" : " nameserver" + what) +
           (domains.empty() ? "" : " search" + joined(domains));
}

struct Describe {
    std::string operator()(const CreateLink& op) const {
        if (op.backend == Backend::kUserspace) return "wgd-datapath " + op.name;
        return fmt::format("ip link add dev {} type wireguard", op.name);
    }
    std::string operator()(const DeleteLink& op) const { return "ip link delete dev " + op.name; }
    std::string operator()(const ConfigureDevice& op) const {
        std::string text = "wg set " + op.link;
        if (!op.delta) return text;
        const DeviceDelta& delta = *op.delta;
        if (delta.private_key)
            text += delta.private_key->is_zero() ? " private-key /dev/null" : " private-key (hidden)";
        if (delta.listen_port) text += fmt::format(" listen-port {}", *delta.listen_port);
        if (delta.fwmark)
            text +=
                *delta.fwmark == 0 ? std::string(" fwmark off") : fmt::format(" fwmark {:#x}", *delta.fwmark);
        if (delta.replace_peers) text += " (all other peers removed)";
        const std::size_t shown = std::min(delta.peers.size(), kPeersShown);
        for (std::size_t i = 0; i < shown; ++i)
            text += peer_text(delta.peers[i]);
        if (shown < delta.peers.size())
            text += fmt::format(" (and {} more peers)", delta.peers.size() - shown);
        return text;
    }
    std::string operator()(const AddAddress& op) const {
        return fmt::format("ip {} address add {} dev {}", family_flag(op.address.family()),
                           op.address.to_string(), op.link);
    }
    std::string operator()(const RemoveAddress& op) const {
        return fmt::format("ip {} address delete {} dev {}", family_flag(op.address.family()),
                           op.address.to_string(), op.link);
    }
    std::string operator()(const SetMtu& op) const {
        return fmt::format("ip link set dev {} mtu {}", op.link, op.mtu);
    }
    std::string operator()(const SetLinkUp& op) const {
        return fmt::format("ip link set dev {} {}", op.link, op.up ? "up" : "down");
    }
    std::string operator()(const AddRule& op) const {
        return fmt::format("ip {} rule add{}", family_flag(op.rule.family), rule_text(op.rule));
    }
    std::string operator()(const RemoveRule& op) const {
        return fmt::format("ip {} rule delete{}", family_flag(op.rule.family), rule_text(op.rule));
    }
    std::string operator()(const AddRoute& op) const {
        return fmt::format("ip {} route add {}", family_flag(op.route.destination.family()),
                           route_text(op.route));
    }
    std::string operator()(const RemoveRoute& op) const {
        return fmt::format("ip {} route delete {}", family_flag(op.route.destination.family()),
                           route_text(op.route));
    }
    std::string operator()(const SetSysctl& op) const {
        return fmt::format("sysctl -w {}={}", sysctl_name(op.key), op.value);
    }
    std::string operator()(const ReplaceTable& op) const {
        return "nft -f - # table inet " + op.name + ": chains " + chains_of(op.transaction);
    }
    std::string operator()(const RunHook& op) const { return op.command + "  # " + op.phase; }
    std::string operator()(const SetDns& op) const { return dns_text(op); }
    std::string operator()(const ClearDns& op) const {
        switch (op.backend) {
        case DnsBackend::kResolved:
            return "resolvectl revert " + op.link;
        case DnsBackend::kResolvconf:
            return "resolvconf -d " + op.link + " -f";
        case DnsBackend::kNetworkManager:
            return "nmcli device reapply " + op.link;
        case DnsBackend::kFile:
            break;
        }
        return "write /etc/resolv.conf without " + op.link;
    }
    std::string operator()(const CreateNamespace& op) const { return "ip netns add " + op.name; }
    std::string operator()(const RemoveNamespace& op) const { return "ip netns delete " + op.name; }
    std::string operator()(const MoveLink& op) const {
        return fmt::format("ip link set dev {} netns {}", op.link, op.netns);
    }
    std::string operator()(const SetNamespaceDns& op) const {
        if (op.text.empty()) return fmt::format("rm /etc/netns/{}/resolv.conf", op.netns);
        std::string text = fmt::format("tee /etc/netns/{}/resolv.conf # ", op.netns);
        for (const char c : op.text.substr(op.text.find('\n') + 1)) // without the line that says it is ours
            text += c == '\n' ? ';' : c;
        return text;
    }
    std::string operator()(const InNamespace& op) const {
        return fmt::format("ip netns exec {} {}", op.netns, op.box ? describe(op.box->op) : "");
    }
    std::string operator()(const RemoveTable& op) const { return "nft delete table inet " + op.name; }
};

} // namespace

Op in_namespace(const std::string& netns, Op op) {
    if (netns.empty()) return op;
    return InNamespace{netns, std::make_shared<const OpBox>(OpBox{std::move(op)})};
}

std::string describe(const Op& op) {
    return std::visit(Describe{}, op);
}

} // namespace wgd::plan
