// SPDX-License-Identifier: MIT
#include "daemon/sys/net_sockets.hpp"

namespace wgd::sys {

Result<void> with_sockets(const NetNamespaces& namespaces, const std::string& netns, NetSockets here,
                          const std::function<Result<void>(NetSockets&)>& work) {
    if (netns.empty()) return work(here);
    return namespaces.run_in(netns, [&]() -> Result<void> {
        auto netlink = NetlinkSocket::open();
        WGD_TRY(netlink);
        auto kernel = NetlinkClient::open();
        WGD_TRY(kernel);
        Nftables nftables;
        NetSockets there{*netlink, *kernel, nftables};
        return work(there);
    });
}

} // namespace wgd::sys
