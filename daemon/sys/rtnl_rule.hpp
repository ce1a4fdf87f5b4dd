// SPDX-License-Identifier: MIT
// Policy rules over rtnetlink. Messages are built and parsed attribute by attribute: libnl 3.7's rule object
// knows neither "not" nor suppress_prefixlength, and would read a "not fwmark" rule as a plain one. Source:
// ip-rule(8), <linux/fib_rules.h>.
#pragma once

#include <vector>

#include "common/base/result.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/sys/netlink_socket.hpp"

namespace wgd::sys {

// All rules of both families, in the order in which the kernel applies them. A rule with selectors or actions
// that plan::Rule cannot say is in the list too, because its table and mark count as used; its protocol is
// then 0, so that it is nobody's and never taken for one of ours.
Result<std::vector<plan::Rule>> read_rules(NetlinkSocket& socket);

// With a priority: success when this very rule stands there already, made by us (protocol).
// Without: always a new rule, at the priority the kernel picks (one below the lowest): two tunnels need the
// same rule twice, each before its own.
Result<void> add_rule(NetlinkSocket& socket, const plan::Rule& rule);
// Removes one rule that is the same in everything the value says, protocol included. Success when none is
// left.
Result<void> remove_rule(NetlinkSocket& socket, const plan::Rule& rule);

// "not fwmark 0xca6c lookup 51820", for messages.
std::string rule_text(const plan::Rule& rule);

} // namespace wgd::sys
