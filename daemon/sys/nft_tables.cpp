// SPDX-License-Identifier: MIT
#include "daemon/sys/nft_tables.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

Result<std::set<std::string>> read_nft_table_names() {
    const auto refused = [](const Error& error) {
        Error told = error;
        told.code = ErrorCode::kUnsupported;
        return fail(std::move(told).with_context("nftables cannot be used here"));
    };
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket) return refused(socket.error());
    nfgenmsg header{};
    header.nfgen_family = NFPROTO_INET;
    header.version = NFNETLINK_V0;
    NetlinkMessage request((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE, 0, header);
    std::set<std::string> names;
    const auto read = socket->dump(request, "cannot list the tables", [&](const nlmsghdr* answer) {
        if (const auto* info = fixed_header<nfgenmsg>(answer); info != nullptr)
            names.insert(NetlinkAttributes::of(answer, sizeof *info).text(NFTA_TABLE_NAME));
    });
    if (!read) return refused(read.error());
    return names;
}

} // namespace wgd::sys
