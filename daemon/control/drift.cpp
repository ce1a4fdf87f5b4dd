// SPDX-License-Identifier: MIT
#include "daemon/control/drift.hpp"

#include <algorithm>
#include <type_traits>

#include "daemon/plan/routing.hpp"

namespace wgd::control {
namespace {

template <class T, class... Ts>
constexpr bool is_any_of = (std::is_same_v<T, Ts> || ...);

std::string table_name(std::uint32_t table) {
    return table == plan::kMainTable ? "" : " in table " + std::to_string(table);
}

} // namespace

bool is_repair(const plan::Op& op) {
    if (const auto* inside = std::get_if<plan::InNamespace>(&op)) return is_repair(inside->box->op);
    return std::visit(
        [](const auto& act) {
            using T = std::decay_t<decltype(act)>;
            return !is_any_of<T, plan::DeleteLink, plan::RemoveAddress, plan::RemoveRoute, plan::RemoveRule,
                              plan::RemoveTable>;
        },
        op);
}

std::string what_happened(const plan::Op& repair) {
    if (const auto* inside = std::get_if<plan::InNamespace>(&repair)) return what_happened(inside->box->op);
    if (const auto* route = std::get_if<plan::AddRoute>(&repair))
        return "route " + route->route.destination.to_string() + table_name(route->route.table) +
               " was removed by somebody";
    if (const auto* rule = std::get_if<plan::AddRule>(&repair))
        return "the rule of `" + plan::describe(repair) + "` was removed by somebody" +
               (rule->rule.priority ? "" : " or changed");
    if (const auto* address = std::get_if<plan::AddAddress>(&repair))
        return "address " + address->address.to_string() + " was removed by somebody";
    if (const auto* mtu = std::get_if<plan::SetMtu>(&repair))
        return "the MTU was changed by somebody from " + std::to_string(mtu->mtu);
    if (std::holds_alternative<plan::SetLinkUp>(repair)) return "the link was set down by somebody";
    if (const auto* sysctl = std::get_if<plan::SetSysctl>(&repair))
        return "sysctl " + sysctl->key + " was changed by somebody from " + sysctl->value;
    if (const auto* table = std::get_if<plan::ReplaceTable>(&repair))
        return "nftables table " + table->name + " was removed or changed by somebody";
    if (const auto* dns = std::get_if<plan::SetDns>(&repair))
        return "DNS (" + std::string(plan::to_string(dns->backend)) + ") was changed by somebody";
    if (std::holds_alternative<plan::ConfigureDevice>(repair))
        return "the mark of the device was changed by somebody";
    return "what `" + plan::describe(repair) + "` does was undone by somebody";
}

bool Drift::may_repair(const std::string& object, Instant now) const {
    const auto found = fights_.find(object);
    return found == fights_.end() || now - found->second.last >= found->second.pause;
}

Duration Drift::repaired(const std::string& object, const std::string& text, Instant now) {
    ++count_;
    last_ = text;
    for (auto fight = fights_.begin(); fight != fights_.end();)
        fight = now - fight->second.last >= kForgotten ? fights_.erase(fight) : std::next(fight);
    Fight& fight = fights_[object];
    if (fight.repairs == 0 || (fight.pause == Duration::zero() && now - fight.begin > kWindow)) {
        fight.begin = now;
        fight.repairs = 0;
    }
    fight.last = now;
    if (++fight.repairs >= kFreeRepairs)
        fight.pause =
            fight.pause == Duration::zero() ? kFirstPause : std::min(fight.pause * 2, kLongestPause);
    return fight.pause;
}

std::optional<Duration> Drift::next_chance(Instant now) const {
    std::optional<Duration> soonest;
    for (const auto& [object, fight] : fights_) {
        const Duration left = fight.pause - (now - fight.last);
        if (left > Duration::zero() && (!soonest || left < *soonest)) soonest = left;
    }
    return soonest;
}

} // namespace wgd::control
