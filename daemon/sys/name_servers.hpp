// SPDX-License-Identifier: MIT
// The name servers of this machine apart from those that a tunnel brought along. While a tunnel is up,
// resolv.conf(5) may name its servers alone; what the links offer is then found where those who manage
// resolv.conf keep it: systemd-resolved, NetworkManager, and resolvconf of both kinds.
#pragma once

#include <string>
#include <vector>

#include "common/base/ip.hpp"

namespace wgd::sys {

// In the order to ask them, each once, port 53: those of other machines first, then those of this one, which
// may well forward into the tunnel. Empty when none is left. `root` is put before every path (for tests).
std::vector<Endpoint> name_servers_without(const std::vector<IpAddress>& excluded,
                                           const std::string& root = {});

// The addresses of the "nameserver" lines; of a file that wgd made, those of the one that it took the place
// of. Those with a scope are left out: they cannot be asked by address.
std::vector<IpAddress> name_servers_of(const std::string& path);

} // namespace wgd::sys
