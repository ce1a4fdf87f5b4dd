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
    std::visit(
        Overloaded{
            [&](const plan::CreateLink& create) {
                if (create.backend == plan::Backend::kUserspace)
                    return start_userspace_link(create, std::move(done));
                done(create_link(netlink_, create.name, "wireguard", create.alias));
            },
            [&](const plan::DeleteLink& remove) {
                if (remove.backend == plan::Backend::kUserspace)
                    return stop_userspace_link(remove, std::move(done));
                done(delete_own_link(remove.name));
            },
            [&](const plan::ConfigureDevice& configured) { done(configure(configured)); },
            [&](const plan::AddAddress& add) { done(add_address(netlink_, add.link, add.address)); },
            [&](const plan::RemoveAddress& remove) {
                done(remove_address(netlink_, remove.link, remove.address));
            },
            [&](const plan::SetMtu& set) { done(set_link_mtu(netlink_, set.link, set.mtu)); },
            [&](const plan::SetLinkUp& set) { done(set_link_up(netlink_, set.link, set.up)); },
            [&](const plan::AddRule& add) { done(add_rule(netlink_, add.rule)); },
            [&](const plan::RemoveRule& remove) { done(remove_rule(netlink_, remove.rule)); },
            [&](const plan::AddRoute& add) { done(add_route(netlink_, add.route)); },
            [&](const plan::RemoveRoute& remove) { done(remove_route(netlink_, remove.route)); },
            [&](const plan::SetSysctl& set) { done(write_sysctl(set.key, set.value)); },
            [&](const plan::ReplaceTable& table) { done(nftables_.run(table.transaction)); },
            [&](const plan::RunHook& hook) { run_hook(hook, std::move(done)); },
            [&](const plan::SetDns& set) { dns_.set(set, std::move(done)); },
            [&](const plan::ClearDns& clear) { dns_.clear(clear, std::move(done)); },
            [&](const plan::RemoveTable& table) { done(nftables_.run(plan::render_removal(table.name))); },
        },
        op);
}

void LinuxExecutor::run_hook(const plan::RunHook& op, ports::Done done) {
    const std::string label = op.phase + " of " + op.link;
    const Command command = hook_command(label, op.command, op.link, profile_dir_ + "/" + op.link + ".conf",
                                         std::chrono::seconds(op.time_limit));
    const std::uint64_t id = next_hook_++;
    hooks_[id] = commands_.run(command, [this, id, label, best_effort = op.best_effort,
                                         done = std::move(done)](Result<void> result) {
        const auto finished = std::move(hooks_[id]); // outlives this call, which came from it
        hooks_.erase(id);
        if (result) return done({});
        Error error = std::move(result).error().with_context(label);
        if (!best_effort) return done(fail(std::move(error)));
        log::warning("{}", error.message);
        done({});
    });
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

void LinuxExecutor::stop_userspace_link(const plan::DeleteLink& op, ports::Done done) {
    // Of a start that was cut short there may be a process without a link, or a link without an alias: then
    // the process is known to be ours by what it was given.
    auto link = find_link(netlink_, op.name);
    if (!link) return done(fail(std::move(link).error()));
    if (!datapaths_.started_by_us(op.name)) {
        if (!*link) return done({});
        if (!(*link)->is_ours()) return done(not_ours(op.name));
    }
    datapaths_.stop(op.name, [this, op, done = std::move(done)](Result<void> stopped) {
        if (!stopped) return done(std::move(stopped));
        // A TUN device made persistent, or one whose program serves no UAPI socket, is still there.
        done(delete_own_link(op.name));
    });
}

// The plan was made from a picture; the name may stand for another link by now.
Result<void> LinuxExecutor::delete_own_link(const std::string& name) {
    auto link = find_link(netlink_, name);
    if (!link) return fail(std::move(link).error());
    if (!*link) return {};
    if (!(*link)->is_ours()) return not_ours(name);
    return delete_link(netlink_, name);
}

Result<void> LinuxExecutor::configure(const plan::ConfigureDevice& op) {
    auto link = find_link(netlink_, op.link);
    if (!link) return fail(std::move(link).error());
    if (!*link) return fail(Error{ErrorCode::kNotFound, "there is no link named " + op.link, ENODEV});
    const auto backend = backend_of(**link, userspace_);
    if (!backend) return fail(ErrorCode::kUnsupported, op.link + " is not a WireGuard link");
    return *backend == plan::Backend::kKernel ? kernel_.set(op.link, *op.delta)
                                              : userspace_.set(op.link, *op.delta);
}

} // namespace wgd::sys
