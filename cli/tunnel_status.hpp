// SPDX-License-Identifier: MIT
// What `wgctl status` and `wgctl list` show, as values and as text. Pure; any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace wgd::cli {

struct PeerStatus {
    std::string public_key;
    std::string name;
    std::string state; // "never", "active", "idle", "failing"
    std::string endpoint;
    std::string endpoint_spec;
    std::vector<std::string> allowed_ips;
    std::uint16_t persistent_keepalive = 0;
    bool has_preshared_key = false;
    std::uint64_t latest_handshake = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

struct TunnelStatus {
    std::string name;
    std::string state;
    std::string last_error;
    std::string backend;
    std::string backend_reason;
    std::string kill_switch; // "off", "on", "lan"; empty: a daemon that knows none
    std::string interface;
    std::string netns;
    std::uint32_t ifindex = 0;
    std::string public_key;
    std::uint16_t listen_port = 0;
    std::uint32_t fwmark = 0;
    std::uint32_t mtu = 0;
    std::uint32_t path_mtu = 0; // measured; 0: not
    std::vector<std::string> addresses;
    std::vector<std::string> dns;
    std::string dns_backend; // who keeps them for the system; empty: nobody was told
    std::string dns_reason;
    std::vector<std::string> warnings;
    std::vector<std::string> residue;
    std::uint32_t drift_count = 0;
    std::string drift_last;
    std::vector<PeerStatus> peers;
};

struct ProfileRow {
    std::string name;
    std::string path;
    std::string state;
    std::string problem;
};

// Several lines, each ended. `now`: epoch seconds.
std::string status_text(const TunnelStatus& tunnel, std::uint64_t now, const Style& style);
std::string list_text(const std::vector<ProfileRow>& profiles, const Style& style);

// A line, ended, if nothing leaves this machine although no tunnel asks for it; else nothing. `mode`: "off",
// "on", "lan".
std::string lockdown_text(const std::string& mode, const Style& style);

// {"version": 1, "lockdown": "off", "tunnels": [...]}: keys are only ever added. Times are epoch seconds, 0
// never.
nlohmann::ordered_json status_json(const std::vector<TunnelStatus>& tunnels, const std::string& lockdown);
nlohmann::ordered_json list_json(const std::vector<ProfileRow>& profiles);
// Indented, with a final newline; malformed UTF-8 is replaced.
std::string dump(const nlohmann::ordered_json& json);

} // namespace wgd::cli
