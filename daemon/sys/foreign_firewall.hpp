// SPDX-License-Identifier: MIT
// Somebody else's firewall, as far as it stands in the way of what a tunnel forwards: looked at, never
// touched.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/plan/forwarding.hpp"
#include "daemon/sys/nftables.hpp"

namespace wgd::sys {

// Chains of the forward hook that drop what no rule of theirs accepts: nftables ones (iptables-nft's,
// Docker's, ufw's among them; firewalld's whatever its policy), and those of the legacy iptables, which
// nftables does not show. A table that has a rule for this link counts as open: its owner has thought of it.
// Best effort: what cannot be read is not there.
std::vector<plan::ForwardBarrier> forward_barriers(Nftables& nftables, const std::string& link);

// Of `nft list chains`; for each candidate `table_of` gives the whole table.
std::vector<plan::ForwardBarrier>
nftables_barriers(std::string_view chains, std::string_view link,
                  const std::function<std::string(const std::string&)>& table_of);

} // namespace wgd::sys
