// SPDX-License-Identifier: MIT
// Settings: /etc/wgd/wgd.toml, what an administrator decides beside the profiles. conf/wgd.toml documents
// every key and is the default in text form (a test reads it). The only user of toml11.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/log.hpp"
#include "common/base/result.hpp"
#include "common/model/names.hpp"
#include "daemon/plan/dns.hpp"
#include "daemon/plan/forwarding.hpp"
#include "daemon/plan/lock.hpp"

namespace wgd::control {

enum class BackendPreference { kAuto, kKernel, kUserspace };
enum class OnLinkLost { kFail, kRebuild };

// What becomes of an endpoint whose name has an address already.
enum class EndpointRefresh {
    kAuto,   // asked again when its time ran out; another address is used once the old one does not work
    kFollow, // ... at once, even when the old one works
    kNever,  // asked for one answer, and then no more
};

// Where each key is written ("/etc/wgd/wgd.toml:12"), to be told of; no part of what the settings are.
struct SettingPlaces : std::map<std::string, std::string> {
    bool operator==(const SettingPlaces&) const { return true; }
};

struct TunnelSettings {
    BackendPreference backend = BackendPreference::kAuto;
    std::chrono::seconds endpoint_wait{5};        // `up` waits this long for host names, then goes on without
    std::chrono::seconds endpoint_retry{5};       // first retry of a name; doubles
    std::chrono::seconds endpoint_retry_max{300}; // up to this
    EndpointRefresh endpoint_refresh = EndpointRefresh::kAuto;
    std::chrono::seconds endpoint_ttl_min{60};         // a name that has an address is asked no more often
    bool autoconnect = false;                          // up when the daemon starts; in [tunnel.NAME] only
    bool hooks = true;                                 // run the profile's PreUp, PostUp, PreDown, PostDown
    std::chrono::seconds hook_timeout{60};             // for each of them
    plan::Gateway gateway;                             // forward, masquerade, mss_clamp, isolate_peers
    std::string netns;                                 // name of its network namespace; "" for the daemon's
    bool mtu_probe = false;                            // how large a packet reaches the endpoints
    std::vector<IpPrefix> exclude;                     // kept out of a full tunnel; "lan" is spelt out
    OnLinkLost on_link_lost = OnLinkLost::kFail;       // when somebody deletes the link, or the datapath dies
    plan::DnsPreference dns;                           // who is told of the profile's DNS
    plan::LockMode kill_switch = plan::LockMode::kOff; // nothing leaves outside of the tunnel

    SettingPlaces places;

    bool operator==(const TunnelSettings&) const = default;
};

struct Settings {
    std::string profile_dir = "/etc/wireguard";
    std::string datapath; // program; empty: the one installed with wgd
    log::Level log_level = log::Level::kInfo;
    plan::LockMode lockdown = plan::LockMode::kOff; // kill_switch for all, also while no tunnel is up
    TunnelSettings defaults;
    std::map<std::string, TunnelSettings> tunnels; // [tunnel.NAME], the defaults already in it

    [[nodiscard]] const TunnelSettings& of(const ProfileName& name) const;

    // kParse with every problem of the text, one per line, as "file:line: ...". `file` is for messages only.
    static Result<Settings> parse(std::string_view text, const std::string& file);

    bool operator==(const Settings&) const = default;
};

} // namespace wgd::control
