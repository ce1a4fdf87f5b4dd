// SPDX-License-Identifier: MIT
#include "daemon/sys/executor.hpp"

#include <cerrno>

#include "common/base/log.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/sys/rtnl_address.hpp"
#include "daemon/sys/rtnl_link.hpp"
#include "daemon/sys/rtnl_route.hpp"
#include "daemon/sys/rtnl_rule.hpp"
#include "daemon/sys/sysctl.hpp"
#include "daemon/sys/system_reader.hpp"

namespace wgd::sys {
namespace {

template <class... Calls>
struct Overloaded : Calls... {
    using Calls::operator()...;
};
template <class... Calls>
Overloaded(Calls...) -> Overloaded<Calls...>;

Failure not_ours(const std::string& name) {
    return fail(ErrorCode::kConflict, "the link " + name + " is not ours to delete");
}

} // namespace

void LinuxExecutor::perform(const plan::Op& op, ports::Done done) {
    if (const auto* inside = std::get_if<plan::InNamespace>(&op); inside != nullptr && inside->box)
        return perform_in(inside->netns, inside->box->op, std::move(done));
    perform_in("", op, std::move(done));
}

Result<void> LinuxExecutor::work_in(const std::string& netns,
                                    const std::function<Result<void>(NetSockets&)>& work) {
    return with_sockets(namespaces_, netns, {netlink_, kernel_, nftables_}, work);
}

void LinuxExecutor::perform_in(const std::string& netns, const plan::Op& op, ports::Done done) {
    if (const auto* hook = std::get_if<plan::RunHook>(&op)) return run_hook(netns, *hook, std::move(done));
    if (const auto* set = std::get_if<plan::SetDns>(&op)) return dns_.set(*set, std::move(done));
    if (const auto* clear = std::get_if<plan::ClearDns>(&op)) return dns_.clear(*clear, std::move(done));
    if (const auto* create = std::get_if<plan::CreateLink>(&op);
        create != nullptr && create->backend == plan::Backend::kUserspace)
        return start_userspace_link(*create, std::move(done));
    if (const auto* remove = std::get_if<plan::DeleteLink>(&op);
        remove != nullptr && remove->backend == plan::Backend::kUserspace)
        return stop_userspace_link(netns, *remove, std::move(done));
    auto result = work_in(netns, [&](NetSockets& sockets) { return perform_now(sockets, op); });
    // What a namespace held is gone with it. (Undoing comes here for what was done in one that is gone.)
    const bool takes_away =
        std::holds_alternative<plan::DeleteLink>(op) || std::holds_alternative<plan::RemoveRoute>(op) ||
        std::holds_alternative<plan::RemoveRule>(op) || std::holds_alternative<plan::RemoveTable>(op) ||
        std::holds_alternative<plan::RemoveAddress>(op);
    if (!netns.empty() && takes_away && !result && result.error().code == ErrorCode::kNotFound)
        result = Result<void>();
    done(std::move(result));
}

Result<void> LinuxExecutor::perform_now(NetSockets& sockets, const plan::Op& op) {
    const auto never = [] { return fail(ErrorCode::kInternal, "an operation in the wrong place"); };
    return std::visit(
        Overloaded{
            [&](const plan::CreateLink& create) {
                return create_link(sockets.netlink, create.name, "wireguard", create.alias);
            },
            [&](const plan::DeleteLink& remove) { return delete_own_link(sockets, remove.name); },
            [&](const plan::ConfigureDevice& configured) { return configure(sockets, configured); },
            [&](const plan::AddAddress& add) { return add_address(sockets.netlink, add.link, add.address); },
            [&](const plan::RemoveAddress& remove) {
                return remove_address(sockets.netlink, remove.link, remove.address);
            },
            [&](const plan::SetMtu& set) { return set_link_mtu(sockets.netlink, set.link, set.mtu); },
            [&](const plan::SetLinkUp& set) { return set_link_up(sockets.netlink, set.link, set.up); },
            [&](const plan::AddRule& add) { return add_rule(sockets.netlink, add.rule); },
            [&](const plan::RemoveRule& remove) { return remove_rule(sockets.netlink, remove.rule); },
            [&](const plan::AddRoute& add) { return add_route(sockets.netlink, add.route); },
            [&](const plan::RemoveRoute& remove) { return remove_route(sockets.netlink, remove.route); },
            [&](const plan::SetSysctl& set) { return write_sysctl(set.key, set.value); },
            [&](const plan::ReplaceTable& table) { return sockets.nftables.run(table.transaction); },
            [&](const plan::RemoveTable& table) {
                return sockets.nftables.run(plan::render_removal(table.name));
            },
            [&](const plan::CreateNamespace& create) { return namespaces_.create(create.name); },
            [&](const plan::RemoveNamespace& remove) { return namespaces_.remove(remove.name); },
            [&](const plan::MoveLink& moved) { return move(sockets, moved); },
            [&](const plan::SetNamespaceDns& dns) { return namespaces_.set_dns(dns.netns, dns.text); },
            [&](const plan::RunHook&) -> Result<void> { return never(); },
            [&](const plan::SetDns&) -> Result<void> { return never(); },
            [&](const plan::ClearDns&) -> Result<void> { return never(); },
            [&](const plan::InNamespace&) -> Result<void> { return never(); },
        },
        op);
}

void LinuxExecutor::run_hook(const std::string& netns, const plan::RunHook& op, ports::Done done) {
    const std::string label = op.phase + " of " + op.link;
    Command command = hook_command(label, op.command, op.link, profile_dir_ + "/" + op.link + ".conf",
                                   std::chrono::seconds(op.time_limit));
    if (!netns.empty())
        command.enter = [this, netns](const std::function<Result<void>()>& start) {
            return namespaces_.run_in(netns, start); // a process begins where the thread is that starts it
        };
    const std::uint64_t id = next_hook_++;
    hooks_[id] = {op.link, commands_.run(command, [this, id, label, best_effort = op.best_effort,
                                                   done = std::move(done)](Result<void> result) {
                      const auto finished = std::move(hooks_[id]); // outlives this call, which came from it
                      hooks_.erase(id);
                      if (result) return done({});
                      Error error = std::move(result).error().with_context(label);
                      if (!best_effort) return done(fail(std::move(error)));
                      log::warning("{}", error.message);
                      done({});
                  })};
}

// Of one tunnel no two hooks run at the same time.
void LinuxExecutor::interrupt(const plan::Op& op) {
    const auto* inside = std::get_if<plan::InNamespace>(&op);
    const auto* hook = std::get_if<plan::RunHook>(inside != nullptr && inside->box ? &inside->box->op : &op);
    if (hook == nullptr) return;
    for (const auto& [id, running] : hooks_)
        if (running.link == hook->link && running.run) running.run->interrupt();
}

void LinuxExecutor::start_userspace_link(const plan::CreateLink& op, ports::Done done) {
    auto existing = find_link(netlink_, op.name);
    if (!existing) return done(fail(std::move(existing).error()));
    if (*existing) {
        if ((*existing)->alias == op.alias && backend_of(**existing, userspace_) == plan::Backend::kUserspace)
            return done({});
        // A TUN device that exists would not be created but joined by the program: it must not get that far.
        return done(fail(Error{ErrorCode::kConflict,
                               "a link named " + op.name + " exists already and is not ours", EEXIST}));
    }
    datapaths_.start(op.name, [this, op, done = std::move(done)](Result<void> started) {
        if (!started) return done(std::move(started));
        auto marked = set_link_alias(netlink_, op.name, op.alias);
        if (marked) return done({});
        datapaths_.stop(
            op.name, [done, error = std::move(marked).error()](const Result<void>&) { done(fail(error)); });
    });
}

void LinuxExecutor::stop_userspace_link(const std::string& netns, const plan::DeleteLink& op,
                                        ports::Done done) {
    // Of a start that was cut short there may be a process without a link, or a link without an alias: then
    // the process is known to be ours by what it was given.
    std::optional<KernelLink> link;
    auto looked = work_in(netns, [&](NetSockets& sockets) -> Result<void> {
        auto found = find_link(sockets.netlink, op.name);
        WGD_TRY(found);
        link = std::move(*found);
        return {};
    });
    const bool no_place = !netns.empty() && !looked && looked.error().code == ErrorCode::kNotFound;
    if (!looked && !no_place) return done(std::move(looked));
    if (!datapaths_.started_by_us(op.name)) {
        if (!link) return done({});
        if (!link->is_ours()) return done(not_ours(op.name));
    }
    // The link first: a TUN device that goes with its queues waits for the kernel once for each of them, and
    // a datapath without a link has nothing left to do. What cannot be deleted goes with its process.
    if (link && link->is_ours())
        static_cast<void>(
            work_in(netns, [&](NetSockets& sockets) { return delete_own_link(sockets, op.name); }));
    datapaths_.stop(op.name, [this, netns, op, no_place, done = std::move(done)](Result<void> stopped) {
        if (!stopped || no_place) return done(std::move(stopped));
        // A TUN device made persistent, or one whose program serves no UAPI socket, is still there.
        done(work_in(netns, [&](NetSockets& sockets) { return delete_own_link(sockets, op.name); }));
    });
}

// The plan was made from a picture; the name may stand for another link by now.
Result<void> LinuxExecutor::delete_own_link(NetSockets& sockets, const std::string& name) {
    auto link = find_link(sockets.netlink, name);
    if (!link) return fail(std::move(link).error());
    if (!*link) return {};
    if (!(*link)->is_ours()) return not_ours(name);
    return links_.remove(name);
}

// Success when it is there already: a step that was cut short is taken again by its undo only.
Result<void> LinuxExecutor::move(NetSockets& sockets, const plan::MoveLink& op) {
    auto link = find_link(sockets.netlink, op.link);
    WGD_TRY(link);
    if (*link) {
        if (!(*link)->is_ours())
            return fail(ErrorCode::kConflict, "the link " + op.link + " is not ours to move");
        return namespaces_.with_open(
            op.netns, [&](int fd) { return move_link(sockets.netlink, op.link, fd, op.netns); });
    }
    return work_in(op.netns, [&](NetSockets& there) -> Result<void> {
        auto moved = find_link(there.netlink, op.link);
        WGD_TRY(moved);
        if (*moved && (*moved)->is_ours()) return {};
        return fail(Error{ErrorCode::kNotFound, "there is no link named " + op.link, ENODEV});
    });
}

Result<void> LinuxExecutor::configure(NetSockets& sockets, const plan::ConfigureDevice& op) {
    auto link = find_link(sockets.netlink, op.link);
    if (!link) return fail(std::move(link).error());
    if (!*link) return fail(Error{ErrorCode::kNotFound, "there is no link named " + op.link, ENODEV});
    const auto backend = backend_of(**link, userspace_);
    if (!backend) return fail(ErrorCode::kUnsupported, op.link + " is not a WireGuard link");
    return *backend == plan::Backend::kKernel ? sockets.kernel.set(op.link, *op.delta)
                                              : userspace_.set(op.link, *op.delta);
}

} // namespace wgd::sys
