// SPDX-License-Identifier: MIT
// NetSockets: what a network namespace is seen and changed through. Those of the daemon's own namespace stay
// open; those of another one are opened for a piece of work and closed after it, because an open one would
// keep the namespace, and every link in it, alive when somebody deletes it.
#pragma once

#include <functional>
#include <string>

#include "common/base/result.hpp"
#include "common/wgapi/netlink_client.hpp"
#include "daemon/sys/net_namespace.hpp"
#include "daemon/sys/netlink_socket.hpp"
#include "daemon/sys/nftables.hpp"

namespace wgd::sys {

struct NetSockets {
    NetlinkSocket& netlink;
    NetlinkClient& kernel;
    Nftables& nftables;
};

// With the sockets of the namespace `netns`, those given for "" (the daemon's); done when it returns.
// Everything in `work` happens there: also what opens /proc/sys/net. kNotFound if there is no such namespace.
Result<void> with_sockets(const NetNamespaces& namespaces, const std::string& netns, NetSockets here,
                          const std::function<Result<void>(NetSockets&)>& work);

} // namespace wgd::sys
