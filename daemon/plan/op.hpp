// SPDX-License-Identifier: MIT
// Op: one change to the system, as a value. Ops name links by name, never by index, so that a plan survives
// the re-creation of a link. Every op is idempotent in the direction it is written: creating what exists with
// the same content and deleting what is gone both succeed (undo may meet a half-done step).
//
// Adding a kind of change = a struct here, a line in describe(), its undo in diff(), its executor in
// daemon/sys, its rules in tests/fakes/fake_world, its JSON in op_json. The compiler names the places
// (std::visit).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ip.hpp"
#include "common/model/device.hpp"
#include "daemon/plan/dns.hpp"

namespace wgd::plan {

inline constexpr std::uint32_t kMainTable = 254; // RT_TABLE_MAIN

enum class Backend : std::uint8_t { kKernel, kUserspace };
std::string_view to_string(Backend backend); // "kernel", "userspace"

// A policy rule of the kinds a tunnel needs (ip-rule(8)).
struct Rule {
    Family family = Family::kIpv4;
    std::optional<std::uint32_t> priority; // nullopt: the kernel picks one below the lowest existing
    std::optional<std::uint32_t> fwmark;
    bool invert = false; // "not"
    std::uint32_t table = 0;
    std::optional<std::uint32_t> suppress_prefixlength;
    std::uint8_t protocol = 0; // kRuleProtocol on ours

    bool operator==(const Rule&) const = default;
    // The same selector and action, whatever the priority and who made it.
    [[nodiscard]] bool same_effect(const Rule& other) const;
};

enum class RouteType : std::uint8_t {
    kUnicast, // through a link, and gone with it
    kThrow,   // ends the look-up in its table: the next rule decides. Has no link and outlives all of them
};

struct Route {
    IpPrefix destination; // host bits cleared
    std::string link;     // "" for a throw
    std::uint32_t table = kMainTable;
    std::uint8_t protocol = 0; // kRouteProtocol on ours
    std::uint32_t metric = 0;  // 0: the kernel's default (IPv6: 1024)
    RouteType type = RouteType::kUnicast;

    bool operator==(const Route&) const = default;
    // The metric the kernel will show: IPv6 turns 0 into 1024 (IP6_RT_PRIO_USER).
    [[nodiscard]] std::uint32_t effective_metric() const {
        return metric == 0 && destination.family() == Family::kIpv6 ? 1024 : metric;
    }
};

struct CreateLink {
    std::string name;
    Backend backend = Backend::kKernel;
    std::string alias; // kLinkAliasPrefix + profile name: the mark by which we know the link again
};
struct DeleteLink {
    std::string name;
    Backend backend = Backend::kKernel;
};
// Keys, port, fwmark, peers. Shared because a delta holds secrets and is therefore move-only, and a plan is a
// value that is described, logged (without secrets) and applied.
struct ConfigureDevice {
    std::string link;
    std::shared_ptr<const DeviceDelta> delta;
};
struct AddAddress {
    std::string link;
    IpPrefix address; // host bits kept
};
struct RemoveAddress {
    std::string link;
    IpPrefix address;
};
struct SetMtu {
    std::string link;
    std::uint32_t mtu = 0;
};
struct SetLinkUp {
    std::string link;
    bool up = true;
};
struct AddRule {
    Rule rule;
};
struct RemoveRule {
    Rule rule;
};
struct AddRoute {
    Route route;
};
struct RemoveRoute {
    Route route;
};
// A value under /proc/sys; `key` with slashes ("net/ipv4/conf/all/src_valid_mark").
struct SetSysctl {
    std::string key;
    std::string value;
};

// One of our nftables tables (family inet), whole: what it held before is replaced in the same transaction.
// `transaction` comes from plan/firewall.hpp, `digest` is what a later look will find in it.
struct ReplaceTable {
    std::string name;
    std::string digest;
    std::string transaction;
};
struct RemoveTable {
    std::string name;
};

// A command of the profile, run as wg-quick(8) does ("%i" is replaced already). Not a state that can be
// looked at, so it is a step of coming up and going down only. Best effort: a failure is logged and nothing
// else, because what comes after must be done all the same.
struct RunHook {
    std::string link;
    std::string phase; // "PreUp", "PostUp", "PreDown", "PostDown"
    std::string command;
    bool best_effort = false;
    std::uint32_t time_limit = 60; // seconds
};

// A tunnel's name servers and domains, handed to whoever keeps the system's. Replaces what was set for the
// link there before. Best effort: a failure is logged, and remembered as DnsView::problem.
struct SetDns {
    std::string link;
    DnsBackend backend = DnsBackend::kFile;
    DnsSettings settings;
    bool best_effort = true;
};
struct ClearDns {
    std::string link;
    DnsBackend backend = DnsBackend::kFile;
};

// A network namespace with a name under /run/netns, as ip-netns(8) makes them; marked as ours.
struct CreateNamespace {
    std::string name;
};
// Only if we made it. Processes that are in it stay in it; the name is gone.
struct RemoveNamespace {
    std::string name;
};
// From the daemon's namespace into another, where it is down and has no addresses. A WireGuard link's UDP
// socket stays where the link was made (see "netns" in wgd.toml(5)).
struct MoveLink {
    std::string link;
    std::string netns;
};
// The resolv.conf of a namespace, /etc/netns/NAME/resolv.conf (ip-netns(8)). `text` "": it goes. Only a file
// that begins with kNamespaceDnsMark is replaced or removed.
inline constexpr std::string_view kNamespaceDnsMark = "# made by wgd";
struct SetNamespaceDns {
    std::string netns;
    std::string text;
};
// An op done inside of a namespace.
struct OpBox;
struct InNamespace {
    std::string netns;
    std::shared_ptr<const OpBox> box;
};

using Op =
    std::variant<CreateLink, DeleteLink, ConfigureDevice, AddAddress, RemoveAddress, SetMtu, SetLinkUp,
                 AddRule, RemoveRule, AddRoute, RemoveRoute, SetSysctl, ReplaceTable, RemoveTable, RunHook,
                 SetDns, ClearDns, CreateNamespace, RemoveNamespace, MoveLink, SetNamespaceDns, InNamespace>;

struct OpBox {
    Op op; // no InNamespace
};
// `op` as it is for the daemon's own namespace (""), else boxed.
Op in_namespace(const std::string& netns, Op op);

// One step of a plan. `undo` is computed from the same snapshot as `act` and runs in order when the step or a
// later one fails; an empty undo means that an earlier step's undo covers it (deleting the link takes its
// addresses and routes along).
struct Step {
    Op act;
    std::vector<Op> undo;
};

struct Plan {
    std::vector<Step> steps;
    std::vector<std::string> warnings; // degradations chosen on purpose ("IPv6 is disabled: ... left out")
    [[nodiscard]] bool empty() const { return steps.empty(); }
};

// The equivalent `ip`, `wg` or `sysctl` command line, secrets masked as "(hidden)".
std::string describe(const Op& op);

} // namespace wgd::plan
