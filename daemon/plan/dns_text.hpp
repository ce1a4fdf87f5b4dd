// SPDX-License-Identifier: MIT
// The texts that are handed to resolvconf(8) or written as resolv.conf(5). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/plan/dns.hpp"

namespace wgd::plan {

inline constexpr std::size_t kMaxNameServers = 3; // MAXNS, resolv.conf(5)

// How every resolv.conf begins that we wrote: what does not begin so is somebody else's.
inline constexpr std::string_view kResolvConfMark = "# Made by wgd for ";

// Standard input of `resolvconf -a`: nameserver lines and one search line, as wg-quick(8) hands them over.
std::string resolvconf_text(const DnsSettings& settings);

// What stood at /etc/resolv.conf before us.
struct OriginalResolvConf {
    enum class Kind { kAbsent, kFile, kLink };
    Kind kind = Kind::kAbsent;
    std::string text;     // of a file: its bytes; of a link: where it points
    unsigned mode = 0644; // of a file
    unsigned uid = 0;     // ... and its owner
    unsigned gid = 0;
    std::string seen_text; // of a link: what one read through it

    // What a reader of the name got.
    [[nodiscard]] const std::string& content() const { return kind == Kind::kLink ? seen_text : text; }
    bool operator==(const OriginalResolvConf&) const = default;
};

// Who wants what, by link.
using DnsRequests = std::vector<std::pair<std::string, DnsSettings>>;

// A resolv.conf(5) for these tunnels, the newest first. The newest exclusive one has all look-ups; without
// one the servers stay those of the original, whose options are kept in any case. The original itself follows
// as comments: after a power cut, when nothing else of ours is left, it is found there.
std::string resolv_conf_text(const DnsRequests& newest_first, const OriginalResolvConf& original);

// The original that a text of ours carries; nullopt if that is not whole.
std::optional<OriginalResolvConf> original_within(std::string_view text);

// A resolv.conf(5) for programs that live inside the tunnel alone, as in a network namespace.
std::string resolv_conf_inside(const std::string& link, const DnsSettings& settings);

} // namespace wgd::plan
