// SPDX-License-Identifier: MIT
// The network namespaces of the fake kernel: each is a fake kernel of its own, with a loopback link that is
// down.
#include <algorithm>
#include <cerrno>

#include "common/model/marks.hpp"
#include "daemon/plan/plan.hpp"
#include "tests/fakes/fake_kernel.hpp"

namespace wgd::fakes {

using namespace plan;

namespace {

Result<void> kernel_error(int err, const Op& op) {
    return fail_errno(ErrorCode::kKernel, err, describe(op));
}

} // namespace

FakeKernel& FakeKernel::make_netns(const std::string& name) {
    auto& made = netns_[name];
    made = std::make_unique<FakeKernel>(faults_, turns_);
    made->add_link("lo", 65536);
    made->links_.at("lo").link.up = false;
    return *made;
}

FakeKernel* FakeKernel::netns(const std::string& name) {
    const auto found = netns_.find(name);
    return found == netns_.end() ? nullptr : found->second.get();
}

Result<void> FakeKernel::change_netns(const CreateNamespace& op) {
    if (netns_.count(op.name) != 0) return {};
    make_netns(op.name);
    own_netns_.insert(op.name);
    return {};
}

Result<void> FakeKernel::change_netns(const RemoveNamespace& op) {
    if (own_netns_.erase(op.name) != 0) netns_.erase(op.name);
    return {};
}

Result<void> FakeKernel::change_netns(const MoveLink& op) {
    const auto inside = netns_.find(op.netns);
    if (inside == netns_.end()) return kernel_error(ENOENT, op);
    const auto found = links_.find(op.link);
    if (found == links_.end())
        return inside->second->has_link(op.link) ? Result<void>() : Result<void>(kernel_error(ENODEV, op));
    if (found->second.link.alias.rfind(kLinkAliasPrefix, 0) != 0)
        return fail(ErrorCode::kConflict, op.link + " is not ours to move");
    FakeLink link = std::move(found->second);
    remove_link(op.link);
    link.link.up = false;
    link.addresses.clear();
    inside->second->sysctls_[promote_secondaries_key(op.link)] = "0";
    inside->second->links_.emplace(op.link, std::move(link));
    return {};
}

Result<void> FakeKernel::change_netns(const SetNamespaceDns& op) {
    if (const auto now = netns_dns(op.netns); !now.empty() && now.rfind(kNamespaceDnsMark, 0) != 0)
        return fail(ErrorCode::kConflict, "the resolv.conf of " + op.netns + " is not ours");
    if (op.text.empty())
        netns_dns_.erase(op.netns);
    else
        netns_dns_[op.netns] = op.text;
    return {};
}

Result<void> FakeKernel::change_netns(const InNamespace& op) {
    const auto inside = netns_.find(op.netns);
    if (inside != netns_.end()) return inside->second->apply(op.box->op);
    const Op& lost = op.box->op;
    const bool takes_away =
        std::holds_alternative<DeleteLink>(lost) || std::holds_alternative<RemoveRoute>(lost) ||
        std::holds_alternative<RemoveRule>(lost) || std::holds_alternative<RemoveTable>(lost) ||
        std::holds_alternative<RemoveAddress>(lost);
    return takes_away ? Result<void>() : Result<void>(kernel_error(ENOENT, op));
}

Snapshot FakeKernel::read_inside(const ports::SnapshotScope& scope) {
    ports::SnapshotScope there = scope;
    there.netns.clear();
    Snapshot snapshot;
    if (FakeKernel* inside = netns(scope.netns)) {
        auto seen = inside->read(there);
        if (seen) snapshot = std::move(*seen);
        const bool busy = busy_netns_.count(scope.netns) != 0 ||
                          std::any_of(inside->links_.begin(), inside->links_.end(), [&](const auto& entry) {
                              return entry.second.link.up && entry.first != "lo" && entry.first != scope.link;
                          });
        snapshot.netns = own_netns_.count(scope.netns) == 0 ? NamespaceState::kForeign
                         : busy                             ? NamespaceState::kOursInUse
                                                            : NamespaceState::kOurs;
    }
    snapshot.netns_dns = netns_dns(scope.netns);
    // Datagrams to the endpoints go out here.
    snapshot.endpoint_paths.clear();
    for (const IpAddress& endpoint : scope.endpoints)
        if (const auto path = path_to(endpoint, "")) snapshot.endpoint_paths.push_back(*path);
    snapshot.default_path = path_to(IpAddress::v4({192, 0, 2, 1}), "");
    snapshot.table_names = table_names_;
    snapshot.ipv6_available = ipv6_;
    return snapshot;
}

} // namespace wgd::fakes
