// SPDX-License-Identifier: MIT
// FakeKernel: links, addresses, routes, rules, sysctls and WireGuard devices with the kernel's own rules:
//
//   - deleting a link takes its addresses, routes and device along; taking it down, its routes and IPv6
//   addresses;
//   - an address brings its connected route while the link is up (none for an IPv4 /32);
//   - the first IPv4 address of a subnet takes the others of the subnet along when it goes, unless the link
//   promotes
//     the next one; the last IPv4 address of a link takes the link's IPv4 routes along, in all tables;
//   - a rule without a priority gets one below the lowest that is not zero;
//   - a second route with the same table, destination and metric is EEXIST; a route needs a link that is up;
//   - turning forwarding moves other values, and ends what router advertisements brought unless accept_ra is
//   2;
//   - an MTU below 1280 ends IPv6 on the link;
//   - an nftables table is replaced whole or not at all, whatever links it names;
//   - a link that moves to another namespace is down there and has lost its addresses and routes;
//   - a namespace begins with a loopback link that is down, and takes its links along when it goes;
//   - an allowed IP belongs to one peer: adding it to another takes it away from the first.
//
// tests/fakes/conformance.hpp runs the same script here and on a real network namespace.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/ports/ports.hpp"
#include "tests/fakes/fake_dns.hpp"
#include "tests/fakes/faults.hpp"
#include "tests/fakes/turns.hpp"

namespace wgd::fakes {

class FakeKernel final : public ports::SystemReader, public ports::Executor, public ports::Monitor {
  public:
    FakeKernel(Faults& faults, Turns& turns);

    // Ports.
    Result<plan::Snapshot> read(const ports::SnapshotScope& scope) override;
    Result<std::map<std::string, plan::TableState>> read_tables() override;
    Result<WgDevice> read_device(const std::string& link, const std::string& netns = "") override;
    Result<ports::LinkReading> read_link(const std::string& link, const std::string& netns = "") override;
    void perform(const plan::Op& op, ports::Done done) override;
    void set_observer(ports::WorldObserver* observer) override { observer_ = observer; }
    Result<void> watch_datapath(const std::string& link) override;
    void unwatch_datapath(const std::string& link) override { watched_.erase(link); }

    // What tests arrange, as somebody else's doing.
    void add_link(const std::string& name, std::uint32_t mtu, const std::string& kind = "");
    void add_address(const std::string& link, const std::string& prefix);
    void add_route(const std::string& prefix, const std::string& link, std::uint32_t table = plan::kMainTable,
                   std::uint32_t metric = 0);
    void add_rule(const plan::Rule& rule);
    void set_sysctl(const std::string& key, const std::string& value) { sysctls_[key] = value; }
    void set_ipv6(bool available) { ipv6_ = available; }
    void set_nftables(std::string problem) { nftables_problem_ = std::move(problem); }
    void set_read_only(const std::string& sysctl) { read_only_sysctls_.insert(sysctl); }
    void add_barrier(plan::ForwardBarrier barrier) { barriers_.push_back(std::move(barrier)); }
    void add_advertised_default(const std::string& link); // a router's, by RA
    [[nodiscard]] bool has_table(const std::string& name) const { return tables_.count(name) != 0; }
    [[nodiscard]] std::string table(const std::string& name) const { return tables_.at(name).transaction; }
    void remove_table(const std::string& name) { tables_.erase(name); }
    void add_table_name(const std::string& name, std::uint32_t id) { table_names_[name] = id; }
    void delete_link(const std::string& name);                           // and tells the observer
    void kill_datapath(const std::string& name, const std::string& how); // and tells the observer
    void announce_change() { // as the netlink monitor does for addresses, routes and rules
        if (observer_ != nullptr) observer_->on_world_changed();
    }
    void announce_dns_change() { // as the watches on resolv.conf and on resolvers do
        if (observer_ != nullptr) observer_->on_dns_changed();
    }
    FakeDns dns;
    std::function<void()> on_device_read;              // for who counts, or lets it take its time
    void announce_link_gone(const std::string& link) { // news that comes late
        if (observer_ != nullptr) observer_->on_link_gone(link);
    }
    bool remove_rule(const plan::Rule& rule);
    WgDevice* device(const std::string& link); // to play the peer: handshakes, roaming, counters

    // Everything that can be observed, keys included, link indexes not (they never come back).
    [[nodiscard]] std::string dump() const;
    [[nodiscard]] const std::vector<plan::Rule>& rules() const { return rules_; }
    [[nodiscard]] const std::vector<plan::Route>& routes() const { return routes_; }
    [[nodiscard]] bool has_link(const std::string& name) const { return links_.count(name) != 0; }
    // What is in a namespace; null if there is none of this name.
    FakeKernel* netns(const std::string& name);
    void add_netns(const std::string& name) { (void)make_netns(name); }     // as `ip netns add` does
    void enter_netns(const std::string& name) { busy_netns_.insert(name); } // a process of somebody's
    void set_netns_dns(const std::string& name, const std::string& text) { netns_dns_[name] = text; }
    [[nodiscard]] std::string netns_dns(const std::string& name) const {
        const auto found = netns_dns_.find(name);
        return found == netns_dns_.end() ? "" : found->second;
    }
    [[nodiscard]] std::string sysctl(const std::string& key) const { return sysctls_.at(key); }
    [[nodiscard]] const std::vector<std::string>& hooks_run() const { return hooks_run_; }
    [[nodiscard]] bool watched(const std::string& link) const { return watched_.count(link) != 0; }

    // The effect of one op, without faults.
    Result<void> apply(const plan::Op& op);

  private:
    struct FakeLink {
        plan::Link link;
        std::vector<IpPrefix> addresses;
        std::optional<WgDevice> device;
        plan::Backend backend = plan::Backend::kKernel;
    };
    struct Apply;

    Result<FakeLink*> find(const std::string& name);
    FakeKernel& make_netns(const std::string& name);
    Result<void> change_netns(const plan::CreateNamespace& op);
    Result<void> change_netns(const plan::RemoveNamespace& op);
    Result<void> change_netns(const plan::MoveLink& op);
    Result<void> change_netns(const plan::SetNamespaceDns& op);
    Result<void> change_netns(const plan::InNamespace& op);
    plan::Snapshot read_inside(const ports::SnapshotScope& scope);
    void remove_link(const std::string& name);
    void connect(const FakeLink& link, const IpPrefix& address);
    void disconnect(const FakeLink& link, const IpPrefix& address);
    void add_link_sysctls(const std::string& link);
    void turn_along(const std::string& key, const std::string& value);
    static void insert_address(FakeLink& link, const IpPrefix& address);
    void remove_routes(const std::function<bool(const plan::Route&)>& match);
    void add_link_local(FakeLink& link);
    void remove_ipv6(FakeLink& link);
    void bring(FakeLink& link, bool up);
    std::optional<plan::EndpointPath> path_to(const IpAddress& address, const std::string& except) const;

    Faults& faults_;
    Turns& turns_;
    ports::WorldObserver* observer_ = nullptr;
    std::set<std::string> watched_;
    std::map<std::string, FakeLink> links_;
    std::vector<plan::Rule> rules_; // in the kernel's order
    std::vector<plan::Route> routes_;
    std::map<std::string, std::string> sysctls_;
    std::set<std::string> read_only_sysctls_;
    std::vector<plan::ForwardBarrier> barriers_;
    std::map<std::string, std::uint32_t> table_names_;
    std::map<std::string, plan::ReplaceTable> tables_; // nftables
    std::string nftables_problem_;
    std::set<std::string> made_; // what hooks left in the world
    std::vector<std::string> hooks_run_;
    std::map<std::string, std::unique_ptr<FakeKernel>> netns_;
    std::set<std::string> own_netns_;  // that an op has made
    std::set<std::string> busy_netns_; // with processes in them
    std::map<std::string, std::string> netns_dns_;
    bool ipv6_ = true;
    std::uint32_t next_index_ = 1;
};

} // namespace wgd::fakes
