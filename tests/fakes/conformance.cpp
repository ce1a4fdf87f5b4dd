// SPDX-License-Identifier: MIT
#include "tests/fakes/conformance.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "common/model/marks.hpp"
#include "daemon/plan/firewall.hpp"
#include "daemon/plan/plan.hpp"

namespace wgd::fakes {

using namespace wgd::plan;

namespace {

IpPrefix prefix(const char* text) {
    return *IpPrefix::parse(text);
}

PublicKey key(std::uint8_t seed) {
    std::array<std::uint8_t, kKeySize> bytes{};
    bytes.fill(seed);
    bytes[31] = 0x40;
    return PublicKey(bytes);
}

class Script {
  public:
    explicit Script(const Conformance& run)
        : run_(run)
        , a_(run.prefix + "a")
        , b_(run.prefix + "b") {}

    std::vector<std::string> play() {
        links();
        device();
        addresses();
        first_addresses();
        routes();
        rules();
        sysctls();
        tables();
        forwarding();
        dns();
        mtu_and_ipv6();
        teardown();
        namespaces();
        return std::move(deviations_);
    }

  private:
    // ---- doing

    std::optional<Error> perform(const Op& op) {
        std::optional<Result<void>> answer;
        run_.executor.perform(op, [&](Result<void> result) { answer = std::move(result); });
        for (int i = 0; !answer && i < run_.max_turns; ++i)
            run_.turn();
        if (!answer) return Error{ErrorCode::kTimeout, "no completion", 0};
        if (!*answer) return answer->error();
        return std::nullopt;
    }
    void ok(const Op& op, const std::string& why = "") {
        if (const auto error = perform(op)) deviate(describe(op) + " failed: " + error->message, why);
    }
    void twice(const Op& op) {
        ok(op);
        ok(op, "every op may be repeated");
    }
    void refused(const Op& op, const std::string& why, int sys_errno = 0) {
        const auto error = perform(op);
        if (!error)
            deviate(describe(op) + " was not refused", why);
        else if (sys_errno != 0 && error->sys_errno != sys_errno)
            deviate(describe(op) + " failed with errno " + std::to_string(error->sys_errno) + ", not " +
                        std::to_string(sys_errno),
                    why);
    }
    void deviate(const std::string& what, const std::string& why) {
        deviations_.push_back(why.empty() ? what : what + " (" + why + ")");
    }

    // ---- seeing

    Snapshot look() {
        auto snapshot = run_.reader.read({a_, {}, 0, {std::string(kSrcValidMark)}});
        if (snapshot) return std::move(*snapshot);
        deviate("reading the system failed: " + snapshot.error().message, "");
        return {};
    }
    void see(bool holds, const std::string& what) {
        if (!holds) deviations_.push_back("not so: " + what);
    }
    static bool has_address(const Snapshot& s, const std::string& link, const IpPrefix& address) {
        const auto found = s.addresses.find(link);
        return found != s.addresses.end() &&
               std::find(found->second.begin(), found->second.end(), address) != found->second.end();
    }
    static const Route* route(const Snapshot& s, const char* destination, const std::string& link,
                              std::uint32_t table) {
        for (const Route& route : s.routes)
            if (route.destination == prefix(destination) && route.link == link && route.table == table)
                return &route;
        return nullptr;
    }
    static std::size_t rules_like(const Snapshot& s, const Rule& rule) {
        return static_cast<std::size_t>(std::count(s.rules.begin(), s.rules.end(), rule));
    }
    static const WgPeer* peer(const Snapshot& s, const PublicKey& key) {
        if (!s.device) return nullptr;
        for (const WgPeer& peer : s.device->peers)
            if (peer.public_key == key) return &peer;
        return nullptr;
    }

    // ---- the script

    void links() {
        twice(CreateLink{a_, run_.backend, std::string(kLinkAliasPrefix) + a_});
        refused(CreateLink{a_, run_.backend, std::string(kLinkAliasPrefix) + "other"},
                "it exists with another mark");
        const Snapshot s = look();
        const auto link = s.links.find(a_);
        see(link != s.links.end(), "a created link is there");
        if (link == s.links.end()) return;
        see(link->second.alias == std::string(kLinkAliasPrefix) + a_, "a created link bears our mark");
        see(!link->second.up, "a created link is down");
        see(link->second.index != 0, "a link has an index");
        see((link->second.kind == "wireguard") == (run_.backend == Backend::kKernel),
            "the kind tells the backend");
        see(s.device.has_value(), "a created link is a WireGuard device");
        see(s.device_backend == run_.backend, "its backend is the one asked for");
    }

    Op configure(DeviceDelta&& delta) {
        return ConfigureDevice{a_, std::make_shared<const DeviceDelta>(std::move(delta))};
    }

    static PeerDelta peer_delta(const PublicKey& key, std::vector<AllowedIpDelta> ips) {
        PeerDelta delta;
        delta.public_key = key;
        delta.allowed_ips = std::move(ips);
        return delta;
    }

    void device() {
        std::array<std::uint8_t, 32> seed{};
        seed.fill(7);
        const PrivateKey own = clamp_private_key(seed);
        {
            DeviceDelta delta;
            delta.private_key = own.clone();
            delta.fwmark = 51900;
            delta.peers.push_back(
                peer_delta(key(1), {{prefix("10.201.1.0/24"), false}, {prefix("fd00:201:1::/64"), false}}));
            delta.peers.back().endpoint = Endpoint{*IpAddress::parse("192.0.2.1"), 4242, 0};
            delta.peers.back().persistent_keepalive = 25;
            delta.peers.push_back(peer_delta(key(2), {{prefix("10.201.2.0/24"), false}}));
            twice(configure(std::move(delta)));
            const Snapshot s = look();
            see(s.device && s.device->private_key == own, "the private key is set");
            see(s.device && s.device->public_key == derive_public_key(own), "the public key follows");
            see(s.device && s.device->fwmark == 51900, "the mark is set");
            see(s.device && s.device->peers.size() == 2, "both peers are there");
            const WgPeer* first = peer(s, key(1));
            see(first != nullptr && first->allowed_ips.size() == 2, "the first peer has its allowed IPs");
            see(first != nullptr && first->endpoint && first->endpoint->port == 4242, "and its endpoint");
            see(first != nullptr && first->persistent_keepalive == 25, "and its keepalive");
        }
        {
            DeviceDelta delta;
            delta.peers.push_back(peer_delta(key(2), {{prefix("10.201.1.0/24"), false}}));
            PeerDelta stranger = peer_delta(key(3), {});
            stranger.update_only = true;
            delta.peers.push_back(std::move(stranger));
            ok(configure(std::move(delta)));
            const Snapshot s = look();
            const WgPeer *first = peer(s, key(1)), *second = peer(s, key(2));
            see(first != nullptr && first->allowed_ips.size() == 1,
                "an allowed IP given to another peer leaves the first");
            see(second != nullptr && second->allowed_ips.size() == 2, "and the other has it, beside its own");
            see(peer(s, key(3)) == nullptr, "update_only makes no peer");
        }
        {
            DeviceDelta delta;
            PeerDelta replaced = peer_delta(key(2), {{prefix("10.201.9.0/24"), false}});
            replaced.replace_allowed_ips = true;
            delta.peers.push_back(std::move(replaced));
            PeerDelta gone = peer_delta(key(1), {});
            gone.remove = true;
            delta.peers.push_back(std::move(gone));
            twice(configure(std::move(delta)));
            const Snapshot s = look();
            see(peer(s, key(1)) == nullptr, "a removed peer is gone");
            const WgPeer* second = peer(s, key(2));
            see(second != nullptr && second->allowed_ips == std::vector{prefix("10.201.9.0/24")},
                "a new list replaces the old");
        }
        const auto alone = run_.reader.read_device(a_, "");
        see(alone && alone->peers.size() == 1, "the device can be read alone");
        see(!run_.reader.read_device(b_, ""), "a device that is not there cannot be read");
    }

    void addresses() {
        twice(AddAddress{a_, prefix("10.201.0.2/24")});
        ok(AddAddress{a_, prefix("10.201.0.3/32")});
        twice(AddAddress{a_, prefix("fd00:201::2/64")});
        refused(AddAddress{b_, prefix("10.201.0.9/24")}, "no such link");
        Snapshot s = look();
        see(has_address(s, a_, prefix("10.201.0.2/24")) && has_address(s, a_, prefix("fd00:201::2/64")),
            "addresses are there, with their host bits");
        see(route(s, "10.201.0.0/24", a_, kMainTable) == nullptr,
            "no connected route while the link is down");
        refused(AddRoute{{prefix("10.202.0.0/16"), a_, kMainTable, kRouteProtocol, 0}}, "the link is down",
                ENETDOWN);

        twice(SetMtu{a_, 1400});
        twice(SetLinkUp{a_, true});
        s = look();
        see(s.links[a_].up && s.links[a_].mtu == 1400, "the link is up with its MTU");
        const Route* connected = route(s, "10.201.0.0/24", a_, kMainTable);
        see(connected != nullptr && connected->protocol == 2,
            "a connected route of the kernel's comes with the link up");
        connected = route(s, "fd00:201::/64", a_, kMainTable);
        see(connected != nullptr && connected->protocol == 2, "for IPv6 too");
        see(route(s, "10.201.0.3/32", a_, kMainTable) == nullptr, "an IPv4 /32 has none");
        see(s.device && s.device->listen_port != 0, "a device that is up listens somewhere");

        twice(RemoveAddress{a_, prefix("10.201.0.3/32")});
        s = look();
        see(!has_address(s, a_, prefix("10.201.0.3/32")), "a removed address is gone");
        see(has_address(s, a_, prefix("10.201.0.2/24")), "the others stay");
    }

    void first_addresses() {
        const auto listed = [&] {
            const std::vector<IpPrefix> addresses = look().addresses[a_];
            std::vector<std::string> list;
            for (const IpPrefix& address : addresses)
                if (address.family() == Family::kIpv4) list.push_back(address.to_string());
            return list;
        };
        const std::string key = promote_secondaries_key(a_);
        const Route own{prefix("10.204.0.0/16"), a_, 51900, kRouteProtocol, 0};
        ok(SetSysctl{key, "0"});
        ok(AddAddress{a_, prefix("10.201.0.4/24")});
        ok(AddRoute{own});
        ok(RemoveAddress{a_, prefix("10.201.0.2/24")});
        see(listed().empty(), "the first address of a subnet takes the others along");
        see(route(look(), "10.204.0.0/16", a_, 51900) == nullptr,
            "the last IPv4 address takes the IPv4 routes of all tables along");

        ok(SetSysctl{key, "1"});
        for (const char* address : {"10.201.0.2/24", "10.205.0.1/24", "10.201.0.4/24"})
            ok(AddAddress{a_, prefix(address)});
        ok(AddRoute{own});
        see(listed() == std::vector<std::string>{"10.201.0.2/24", "10.205.0.1/24", "10.201.0.4/24"},
            "addresses are listed first ones first");
        ok(RemoveAddress{a_, prefix("10.205.0.1/24")});
        ok(AddAddress{a_, prefix("10.205.0.1/24")});
        see(listed() == std::vector<std::string>{"10.201.0.2/24", "10.205.0.1/24", "10.201.0.4/24"},
            "a first one goes before the further ones");
        ok(RemoveAddress{a_, prefix("10.201.0.2/24")});
        see(listed() == std::vector<std::string>{"10.205.0.1/24", "10.201.0.4/24"},
            "the next one of the subnet is promoted");
        see(route(look(), "10.204.0.0/16", a_, 51900) != nullptr, "and no route is lost");
        ok(AddAddress{a_, prefix("10.201.0.2/24")});
        ok(RemoveAddress{a_, prefix("10.205.0.1/24")});
        ok(RemoveAddress{a_, prefix("10.201.0.4/24")});
        see(listed() == std::vector<std::string>{"10.201.0.2/24"}, "one is left");
        ok(RemoveRoute{own});
    }

    void routes() {
        const Route split{prefix("10.202.0.0/16"), a_, kMainTable, kRouteProtocol, 0};
        const Route split6{prefix("fd00:202::/48"), a_, kMainTable, kRouteProtocol, 0};
        twice(AddRoute{split});
        twice(AddRoute{split6});
        twice(AddRoute{{prefix("0.0.0.0/0"), a_, 51900, kRouteProtocol, 0}});
        twice(AddRoute{{prefix("::/0"), a_, 51900, kRouteProtocol, 0}});
        Snapshot s = look();
        const Route* seen = route(s, "10.202.0.0/16", a_, kMainTable);
        see(seen != nullptr && *seen == split, "a route bears our protocol");
        seen = route(s, "fd00:202::/48", a_, kMainTable);
        see(seen != nullptr && seen->protocol == kRouteProtocol && seen->effective_metric() == 1024,
            "IPv6 metric 0 means 1024");
        see(route(s, "0.0.0.0/0", a_, 51900) != nullptr && route(s, "::/0", a_, 51900) != nullptr,
            "default routes in a table of their own");

        const Route thrown{prefix("192.168.0.0/16"), "", 51900, kRouteProtocol, 0, RouteType::kThrow};
        const Route thrown6{prefix("fc00::/7"), "", 51900, kRouteProtocol, 0, RouteType::kThrow};
        twice(AddRoute{thrown});
        twice(AddRoute{thrown6});
        s = look();
        see(std::find(s.routes.begin(), s.routes.end(), thrown) != s.routes.end(), "a throw has no link");
        seen = route(s, "fc00::/7", "", 51900);
        see(seen != nullptr && seen->type == RouteType::kThrow && seen->effective_metric() == 1024,
            "nor for IPv6");
        refused(AddRoute{{prefix("192.168.0.0/16"), a_, 51900, kRouteProtocol, 0}}, "a throw is in the way",
                EEXIST);

        ok(CreateLink{b_, run_.backend, std::string(kLinkAliasPrefix) + b_});
        ok(SetLinkUp{b_, true});
        refused(AddRoute{{prefix("10.202.0.0/16"), b_, kMainTable, kRouteProtocol, 0}},
                "another link has this route", EEXIST);
        refused(AddRoute{{prefix("fd00:202::/48"), b_, kMainTable, kRouteProtocol, 0}},
                "another link has this route", EEXIST);
        refused(AddRoute{{prefix("10.201.0.0/24"), a_, kMainTable, kRouteProtocol, 0}},
                "the kernel's own is not ours", EEXIST);

        twice(RemoveRoute{split});
        s = look();
        see(route(s, "10.202.0.0/16", a_, kMainTable) == nullptr, "a removed route is gone");
        ok(RemoveRoute{{prefix("10.201.0.0/24"), a_, kMainTable, kRouteProtocol, 0}});
        s = look();
        see(route(s, "10.201.0.0/24", a_, kMainTable) != nullptr, "removing ours leaves the kernel's alone");
    }

    void rules() {
        Rule marked;
        marked.priority = 20001;
        marked.fwmark = 51900;
        marked.invert = true;
        marked.table = 51900;
        marked.protocol = kRuleProtocol;
        Rule suppress;
        suppress.priority = 20000;
        suppress.table = kMainTable;
        suppress.suppress_prefixlength = 0;
        suppress.protocol = kRuleProtocol;
        for (const Family family : {Family::kIpv4, Family::kIpv6}) {
            marked.family = suppress.family = family;
            twice(AddRule{marked});
            twice(AddRule{suppress});
            Rule again = suppress;
            again.priority = 19998;
            ok(AddRule{again}, "the same rule may exist at two priorities");
            Snapshot s = look();
            see(rules_like(s, marked) == 1 && rules_like(s, suppress) == 1 && rules_like(s, again) == 1,
                "rules are read as written, each once");
            twice(RemoveRule{again});
            s = look();
            see(rules_like(s, suppress) == 1, "removing one by priority leaves the other");
            Rule foreign = suppress;
            foreign.protocol = 4;
            ok(RemoveRule{foreign});
            s = look();
            see(rules_like(s, suppress) == 1, "removing looks at the protocol");

            Rule free = marked;
            free.priority.reset();
            free.fwmark = free.table = 51901;
            ok(AddRule{free});
            s = look();
            std::uint32_t lowest = 32767;
            for (const Rule& rule : s.rules)
                if (rule.family == family && rule.priority.value_or(0) != 0)
                    lowest = std::min(lowest, *rule.priority);
            free.priority = lowest;
            see(rules_like(s, free) == 1 && lowest == 19999,
                "a rule without a priority goes one before the lowest");
            twice(RemoveRule{free});
            twice(RemoveRule{suppress});
            twice(RemoveRule{marked});
            s = look();
            see(rules_like(s, marked) + rules_like(s, suppress) + rules_like(s, free) == 0,
                "removed rules are gone");
        }
    }

    void sysctls() {
        const std::string name(kSrcValidMark);
        const std::string before = look().sysctls[name];
        see(before == "0" || before == "1", "a sysctl is read without its newline");
        twice(SetSysctl{name, before == "0" ? "1" : "0"});
        see(look().sysctls[name] != before, "a sysctl is written");
        ok(SetSysctl{name, before});
        refused(SetSysctl{"net/ipv4/conf/all/no_such_key", "1"}, "no such key");
    }

    void tables() {
        if (!look().nftables_problem.empty()) return; // a kernel without: nothing to conform to
        TunnelTable wanted;
        wanted.link = a_;
        wanted.fwmark = 0xca6c;
        const ReplaceTable marks = render(wanted);
        twice(marks);
        see(look().tables.at(marks.name).digest == marks.digest, "a table is known again by its digest");
        wanted.local = {prefix("10.201.0.2/24").address()};
        const ReplaceTable more = render(wanted);
        ok(more);
        see(look().tables.at(more.name).digest == more.digest, "a table is replaced");
        wanted.masquerade = wanted.isolate_peers = wanted.mss_clamp = wanted.probes = true;
        wanted.listen_ports = {51820, 61000};
        const ReplaceTable gateway = render(wanted);
        twice(gateway);
        see(look().tables.at(gateway.name).digest == gateway.digest, "a gateway's table is taken");
        twice(RemoveTable{more.name});
        see(look().tables.count(more.name) == 0, "a removed table is gone");
    }

    // What a switch of IP forwarding moves along, and that all of it comes back in the order of
    // in_writing_order().
    void forwarding() {
        const auto values = [&]() -> std::map<std::string, std::string> {
            auto snapshot = run_.reader.read({a_, {}, 0, {}, true});
            if (snapshot) return std::move(snapshot->sysctls);
            deviate("reading the system failed: " + snapshot.error().message, "forwarding");
            return {};
        };
        const auto before = values();
        for (const std::string& wanted : forwarding_keys({a_}))
            see(before.count(wanted) != 0, wanted + " is read by who asks for forwarding");
        for (const std::string_view which : {kForwardIpv4, kForwardIpv6})
            for (const char* value : {"1", "0", "1"}) {
                ok(SetSysctl{std::string(which), value});
                for (const auto& [moved, now] : values())
                    if (switch_that_moves(moved) == which)
                        see(now == value_after_switch(moved, value), moved + " moves with " +
                                                                         std::string(which) + " = " + value +
                                                                         " (is " + now + ")");
            }
        for (const auto& [name, value] : in_writing_order(before))
            ok(SetSysctl{name, value});
        see(values() == before, "all values are what they were before forwarding");
    }

    void mtu_and_ipv6() {
        refused(SetMtu{a_, 20}, "too small");
        ok(SetMtu{a_, 1200});
        Snapshot s = look();
        see(!has_address(s, a_, prefix("fd00:201::2/64")), "an MTU below 1280 ends IPv6 on the link");
        see(route(s, "fd00:202::/48", a_, kMainTable) == nullptr, "its routes too");
        see(has_address(s, a_, prefix("10.201.0.2/24")), "not IPv4");
        refused(AddAddress{a_, prefix("fd00:201::2/64")}, "IPv6 needs 1280");
        ok(SetMtu{a_, 1400});
    }

    // Over a resolv.conf that is nobody's.
    void dns() {
        DnsSettings settings;
        settings.servers = {*IpAddress::parse("10.5.0.1")};
        settings.search = {"corp.lan"};
        settings.exclusive = true;
        const std::string before = look().dns.facts.head;
        see(look().dns.applied.empty(), "nothing was told yet");
        see(!choose_dns_backend(look().dns.facts, {}).backend ||
                choose_dns_backend(look().dns.facts, {}).backend == DnsBackend::kFile,
            "nobody keeps this resolv.conf");
        twice(SetDns{a_, DnsBackend::kFile, settings, false});
        Snapshot s = look();
        const auto applied = s.dns.applied.find(DnsBackend::kFile);
        see(applied != s.dns.applied.end() && applied->second.intact && applied->second.settings == settings,
            "what was set is seen");
        see(s.dns.facts.head.find("\nnameserver 10.5.0.1\nsearch corp.lan\n") != std::string::npos,
            "and stands in the file");
        ok(SetDns{b_, DnsBackend::kFile, {{*IpAddress::parse("10.6.0.1")}, {}, {}, true}, false});
        see(look().dns.facts.head.find("\nnameserver 10.6.0.1\n") != std::string::npos,
            "the newer one has it");
        see(look().dns.applied.count(DnsBackend::kFile) == 1 &&
                look().dns.applied.at(DnsBackend::kFile).intact,
            "the older one is as it was set all the same");
        twice(ClearDns{b_, DnsBackend::kFile});
        see(look().dns.facts.head.find("\nnameserver 10.5.0.1\n") != std::string::npos,
            "the older one has it again");
        settings.search.clear();
        ok(SetDns{a_, DnsBackend::kFile, settings, false}, "it replaces what was set");
        s = look();
        see(s.dns.applied.at(DnsBackend::kFile).settings == settings, "the new settings are seen");
        twice(ClearDns{a_, DnsBackend::kFile});
        see(look().dns.applied.empty(), "nothing is left");
        see(look().dns.facts.head == before, "the file is as before");
        refused(SetDns{a_, DnsBackend::kResolved, settings, false}, "nobody is there");
        see(look().dns.applied.empty(), "what was refused is not held");
        ok(SetDns{a_, DnsBackend::kResolved, settings, true}, "best effort");
        see(!look().dns.problem.empty(), "the failure is remembered");
        ok(ClearDns{a_, DnsBackend::kResolved}, "nothing to clear");
        see(look().dns.problem.empty(), "and forgotten");
    }

    void teardown() {
        const Route in_main{prefix("10.203.0.0/16"), a_, kMainTable, kRouteProtocol, 0};
        ok(AddRoute{in_main});
        twice(SetLinkUp{a_, false});
        Snapshot s = look();
        see(route(s, "10.203.0.0/16", a_, kMainTable) == nullptr, "a link that goes down loses its routes");
        see(has_address(s, a_, prefix("10.201.0.2/24")), "but not its IPv4 addresses");
        ok(SetLinkUp{a_, true});
        ok(AddRoute{in_main});
        refused(DeleteLink{"lo", run_.backend}, "not ours");
        twice(DeleteLink{a_, run_.backend});
        s = look();
        see(s.links.count(a_) == 0 && s.addresses.count(a_) == 0,
            "a deleted link is gone, its addresses with it");
        see(std::none_of(s.routes.begin(), s.routes.end(), [&](const Route& r) { return r.link == a_; }),
            "and its routes, in all tables");
        const Route thrown{prefix("192.168.0.0/16"), "", 51900, kRouteProtocol, 0, RouteType::kThrow};
        see(route(s, "192.168.0.0/16", "", 51900) != nullptr && route(s, "fc00::/7", "", 51900) != nullptr,
            "but a throw outlives every link");
        twice(RemoveRoute{thrown});
        twice(RemoveRoute{{prefix("fc00::/7"), "", 51900, kRouteProtocol, 0, RouteType::kThrow}});
        s = look();
        see(route(s, "192.168.0.0/16", "", 51900) == nullptr && route(s, "fc00::/7", "", 51900) == nullptr,
            "a removed throw is gone");
        see(!s.device, "and its device");
        ok(DeleteLink{b_, run_.backend});
        see(look().links.count(b_) == 0, "nothing is left");
    }

    Snapshot look_into(const std::string& netns) {
        ports::SnapshotScope scope;
        scope.link = a_;
        scope.netns = netns;
        auto snapshot = run_.reader.read(scope);
        if (snapshot) return std::move(*snapshot);
        deviate("reading " + netns + " failed: " + snapshot.error().message, "");
        return {};
    }

    void namespaces() {
        const std::string ns = run_.prefix + "ns";
        const auto inside = [&](Op op) { return in_namespace(ns, std::move(op)); };
        see(look_into(ns).netns == NamespaceState::kAbsent, "there is no such namespace yet");
        refused(inside(SetLinkUp{"lo", true}), "nobody is where nothing is");
        ok(inside(DeleteLink{a_, run_.backend}), "what is not there needs no deleting");
        twice(CreateNamespace{ns});
        Snapshot s = look_into(ns);
        see(s.netns == NamespaceState::kOurs, "a namespace we made is ours");
        see(s.links.size() == 1 && s.links.count("lo") == 1 && !s.links.at("lo").up,
            "it has a loopback link that is down");
        twice(inside(SetLinkUp{"lo", true}));

        ok(CreateLink{a_, run_.backend, std::string(kLinkAliasPrefix) + a_});
        twice(MoveLink{a_, ns});
        see(look().links.count(a_) == 0, "a link that moved is gone from here");
        s = look_into(ns);
        see(s.links.count(a_) == 1 && !s.links.at(a_).up, "and there, down");
        see(s.links.count(a_) == 1 && s.links.at(a_).alias == std::string(kLinkAliasPrefix) + a_,
            "with its mark");
        see(s.device_backend == run_.backend, "and is a WireGuard link still");
        auto delta = std::make_shared<DeviceDelta>();
        delta->listen_port = 51911;
        ok(inside(ConfigureDevice{a_, delta}));
        twice(inside(AddAddress{a_, prefix("10.201.0.2/24")}));
        ok(inside(SetLinkUp{a_, true}));
        const Route whole{prefix("0.0.0.0/0"), a_, kMainTable, kRouteProtocol, 0};
        twice(inside(AddRoute{whole}));
        s = look_into(ns);
        see(s.device && s.device->listen_port == 51911, "it is configured in there");
        see(has_address(s, a_, prefix("10.201.0.2/24")), "has its address there");
        see(route(s, "0.0.0.0/0", a_, kMainTable) != nullptr, "and the default route of the namespace");
        see(route(look(), "0.0.0.0/0", a_, kMainTable) == nullptr, "which is nothing to us here");
        see(run_.reader.read_device(a_, ns).has_value(), "its device can be read");

        const std::string text = std::string(kNamespaceDnsMark) + "\nnameserver 10.201.0.1\n";
        twice(SetNamespaceDns{ns, text});
        see(look_into(ns).netns_dns == text, "its resolv.conf is what was asked for");
        twice(SetNamespaceDns{ns, ""});
        see(look_into(ns).netns_dns.empty(), "or gone");

        twice(inside(DeleteLink{a_, run_.backend}));
        see(look_into(ns).links.count(a_) == 0, "a link is deleted where it is");
        twice(RemoveNamespace{ns});
        see(look_into(ns).netns == NamespaceState::kAbsent, "and then its namespace");
    }

    const Conformance& run_;
    std::string a_, b_;
    std::vector<std::string> deviations_;
};

} // namespace

std::vector<std::string> conformance_deviations(const Conformance& run) {
    return Script(run).play();
}

} // namespace wgd::fakes
