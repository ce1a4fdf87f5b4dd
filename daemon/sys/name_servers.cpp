// SPDX-License-Identifier: MIT
#include "daemon/sys/name_servers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "daemon/plan/dns_text.hpp"

namespace wgd::sys {
namespace {

constexpr std::uint16_t kDnsPort = 53;

// Written by systemd-resolved and NetworkManager for whoever wants to know the real servers.
constexpr const char* kFiles[] = {
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
};
// One file for each link: Debian's resolvconf, openresolv.
constexpr const char* kDirectories[] = {"/run/resolvconf/interface", "/run/resolvconf/interfaces"};

std::vector<std::string> sources(const std::string& root) {
    std::vector<std::string> paths;
    for (const char* file : kFiles)
        paths.push_back(root + file);
    for (const char* directory : kDirectories) {
        const std::size_t first = paths.size();
        std::error_code error; // a directory that is not there offers nothing
        for (const auto& entry : std::filesystem::directory_iterator(root + directory, error))
            paths.push_back(entry.path().string());
        std::sort(paths.begin() + static_cast<std::ptrdiff_t>(first), paths.end());
    }
    return paths;
}

// 127.0.0.53 and 127.0.0.54 are systemd-resolved, whose own file names the servers it asks.
bool is_stub(const IpAddress& address) {
    return address == IpAddress::v4({127, 0, 0, 53}) || address == IpAddress::v4({127, 0, 0, 54});
}

} // namespace

std::vector<IpAddress> name_servers_of(const std::string& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    // Of a file that wgd wrote counts what was there before: the rest are servers of tunnels.
    if (const auto original = plan::original_within(text)) {
        if (original->kind == plan::OriginalResolvConf::Kind::kLink) {
            const std::filesystem::path target = original->text;
            const auto directory = std::filesystem::path(path).parent_path();
            std::ifstream linked(target.is_absolute() ? target : directory / target);
            text.assign(std::istreambuf_iterator<char>(linked), {});
        } else {
            text = original->text;
        }
    }
    std::vector<IpAddress> servers;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string key;
        std::string value;
        if (!(words >> key >> value) || key != "nameserver") continue;
        if (const auto address = IpAddress::parse(value)) servers.push_back(*address);
    }
    return servers;
}

std::vector<Endpoint> name_servers_without(const std::vector<IpAddress>& excluded, const std::string& root) {
    std::vector<IpAddress> found;
    for (const std::string& path : sources(root))
        for (const IpAddress& server : name_servers_of(path)) {
            if (is_stub(server)) continue;
            if (std::find(excluded.begin(), excluded.end(), server) != excluded.end()) continue;
            if (std::find(found.begin(), found.end(), server) == found.end()) found.push_back(server);
        }
    std::stable_partition(found.begin(), found.end(),
                          [](const IpAddress& server) { return !server.is_loopback(); });
    std::vector<Endpoint> servers;
    servers.reserve(found.size());
    for (const IpAddress& server : found)
        servers.push_back({server, kDnsPort, 0});
    return servers;
}

} // namespace wgd::sys
