// SPDX-License-Identifier: MIT
#include "daemon/plan/firewall.hpp"

#include <fmt/format.h>
#include <iterator>

namespace wgd::plan {
namespace {

std::string join(const std::vector<std::string>& items) {
    return fmt::format("{}", fmt::join(items, ", "));
}

std::vector<std::string> texts(const std::vector<IpAddress>& addresses, Family family) {
    std::vector<std::string> out;
    for (const auto& address : addresses)
        if (address.family() == family) out.push_back(address.to_string());
    return out;
}

// FNV-1a over the rules: tells our own versions of a table apart; nobody hostile gains by a collision, since
// whoever can write the table can write anything.
std::string digest_of(std::string_view rules) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : rules)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return fmt::format("{:016x}", hash);
}

// Port shadow (CVE-2021-3773): a peer sends from the port of a service of this machine to somebody; if that
// port were kept, the connection tracking would hand that somebody's packets to the service over to the peer.
// Services live below the ephemeral ports (ip-sysctl.rst, ip_local_port_range), tunnels where they listen.
constexpr std::uint16_t kFirstEphemeral = 32768;
// Above the ports that this machine's own connections take, as Linux has masqueraded since 2.0.
constexpr std::uint32_t kFirstMasqueraded = 61000;

std::vector<std::string> ports_of_services(const std::set<std::uint16_t>& listen_ports) {
    std::vector<std::string> ports{fmt::format("0-{}", kFirstEphemeral - 1)};
    for (const std::uint16_t port : listen_ports)
        if (port >= kFirstEphemeral) ports.push_back(std::to_string(port));
    return ports;
}

// The longest stretch of them in which nobody listens, "61000-65535".
std::string free_ports(const std::set<std::uint16_t>& listen_ports) {
    std::uint32_t begin = kFirstMasqueraded, best = begin, length = 0;
    const auto close = [&](std::uint32_t end) { // first port behind the stretch
        if (end > begin && end - begin > length) {
            best = begin;
            length = end - begin;
        }
    };
    for (const std::uint16_t port : listen_ports) {
        if (port < kFirstMasqueraded) continue;
        close(port);
        begin = port + 1U;
    }
    close(65536);
    return fmt::format("{}-{}", best, best + length - 1);
}

std::string body_of(const TunnelTable& table) {
    std::string rules;
    const auto out = std::back_inserter(rules);
    const auto v4 = texts(table.local, Family::kIpv4);
    const auto v6 = texts(table.local, Family::kIpv6);
    if (!v4.empty() || !v6.empty()) {
        // Somebody on the local network must not reach, or probe for, the address inside the tunnel
        // (CVE-2019-14899).
        rules += "    chain preraw {\n        type filter hook prerouting priority raw; policy accept;\n";
        if (!v4.empty())
            fmt::format_to(out, "        iifname != \"{}\" ip daddr {{ {} }} fib saddr type != local drop\n",
                           table.link, join(v4));
        if (!v6.empty())
            fmt::format_to(out, "        iifname != \"{}\" ip6 daddr {{ {} }} fib saddr type != local drop\n",
                           table.link, join(v6));
        rules += "    }\n";
    }
    if (table.fwmark) {
        // Replies to our outer packets carry the mark again, so that strict reverse-path filtering looks them
        // up as what they are.
        const std::string_view outer = table.probes ? "{ udp, icmp, ipv6-icmp }" : "udp";
        fmt::format_to(
            out,
            "    chain premangle {{\n        type filter hook prerouting priority mangle; policy accept;\n"
            "        meta l4proto {} meta mark set ct mark\n    }}\n",
            outer);
        fmt::format_to(out,
                       "    chain postmangle {{\n        type filter hook postrouting priority mangle; "
                       "policy accept;\n        meta l4proto {} meta mark {:#x} ct mark set meta mark\n"
                       "    }}\n",
                       outer, *table.fwmark);
    }
    if (table.isolate_peers || table.mss_clamp) {
        rules += "    chain passing {\n        type filter hook forward priority filter; policy accept;\n";
        if (table.isolate_peers)
            fmt::format_to(out, "        iifname \"{0}\" oifname \"{0}\" drop\n", table.link);
        if (table.mss_clamp)
            fmt::format_to(
                out,
                "        oifname \"{0}\" tcp flags syn / syn,rst tcp option maxseg size set rt mtu\n"
                "        iifname \"{0}\" tcp flags syn / syn,rst tcp option maxseg size set rt mtu\n",
                table.link);
        rules += "    }\n";
    }
    if (table.masquerade) {
        const auto passing =
            fmt::format("iifname \"{}\" {}", table.link,
                        table.masquerade_out.empty() ? fmt::format("oifname != \"{}\"", table.link)
                                                     : fmt::format("oifname \"{}\"", table.masquerade_out));
        fmt::format_to(
            out,
            "    chain postnat {{\n        type nat hook postrouting priority srcnat; policy accept;\n"
            "        {0} meta l4proto {{ tcp, udp }} th sport {{ {1} }} masquerade to :{2}\n"
            "        {0} masquerade\n    }}\n",
            passing, join(ports_of_services(table.listen_ports)), free_ports(table.listen_ports));
    }
    return rules;
}

} // namespace

bool TunnelTable::empty() const {
    return local.empty() && !fwmark && !masquerade && !isolate_peers && !mss_clamp;
}

std::string tunnel_table_name(const std::string& link) {
    if (link == "lock") return "wgd-loc/6b"; // wgd-lock is the host's
    std::string name = "wgd-";
    for (const char c : link) {
        if (c == '=' || c == '+')
            name += fmt::format("/{:02x}", static_cast<unsigned char>(c));
        else
            name += c;
    }
    return name;
}

ReplaceTable render(const TunnelTable& table) {
    return replace_table(tunnel_table_name(table.link), body_of(table));
}

// add; delete; add anew: one netlink transaction, and no error when there was no table.
ReplaceTable replace_table(std::string name, std::string_view rules) {
    ReplaceTable op;
    op.digest = digest_of(rules);
    op.transaction = fmt::format("add table inet {0}\ndelete table inet {0}\ntable inet {0} {{\n"
                                 "    comment \"wgd {1}\"\n{2}}}\n",
                                 name, op.digest, rules);
    op.name = std::move(name);
    return op;
}

std::string render_removal(const std::string& table_name) {
    return fmt::format("add table inet {0}\ndelete table inet {0}\n", table_name);
}

} // namespace wgd::plan
