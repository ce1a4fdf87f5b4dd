// SPDX-License-Identifier: MIT
#include "daemon/sys/name_servers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

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
    std::vector<IpAddress> servers;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string key;
        std::string value;
        // "#|" is before each line of what was here before wgd wrote the file (plan/dns_text).
        if (!(words >> key >> value) || (key != "nameserver" && key != "#|nameserver")) continue;
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
