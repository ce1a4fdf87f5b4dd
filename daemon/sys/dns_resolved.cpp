// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_resolved.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <net/if.h>
#include <systemd/sd-bus.h>

#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

using plan::DnsSettings;

constexpr const char* kService = "org.freedesktop.resolve1";
constexpr const char* kPath = "/org/freedesktop/resolve1";
constexpr const char* kManager = "org.freedesktop.resolve1.Manager";
constexpr const char* kLink = "org.freedesktop.resolve1.Link";

void append_servers(sd_bus_message* message, const std::vector<IpAddress>& servers) {
    sd_bus_message_open_container(message, 'a', "(iay)");
    for (const IpAddress& server : servers) {
        sd_bus_message_open_container(message, 'r', "iay");
        sd_bus_message_append(message, "i", server.af());
        sd_bus_message_append_array(message, 'y', server.bytes().data(), server.bytes().size());
        sd_bus_message_close_container(message);
    }
    sd_bus_message_close_container(message);
}

void append_domains(sd_bus_message* message, const DnsSettings& settings) {
    sd_bus_message_open_container(message, 'a', "(sb)");
    for (const std::string& domain : settings.search)
        sd_bus_message_append(message, "(sb)", domain.c_str(), 0);
    for (const std::string& domain : settings.route_only)
        sd_bus_message_append(message, "(sb)", domain.c_str(), 1);
    // "~.": this link is preferred for every name, which is what `resolvconf -x` asks for.
    if (settings.exclusive) sd_bus_message_append(message, "(sb)", ".", 1);
    sd_bus_message_close_container(message);
}

// Reads the variant of a property that GetAll found; what it does not know is skipped.
int read_property(sd_bus_message* reply, const std::string& name, DnsSettings& into) {
    if (name == "DNS") {
        int r = sd_bus_message_enter_container(reply, 'v', "a(iay)");
        if (r < 0) return r;
        r = sd_bus_message_enter_container(reply, 'a', "(iay)");
        while (r > 0 && (r = sd_bus_message_enter_container(reply, 'r', "iay")) > 0) {
            int family = 0;
            const void* bytes = nullptr;
            std::size_t size = 0;
            if ((r = sd_bus_message_read(reply, "i", &family)) < 0) return r;
            if ((r = sd_bus_message_read_array(reply, 'y', &bytes, &size)) < 0) return r;
            if (const auto server =
                    IpAddress::from_bytes(ByteView(static_cast<const std::uint8_t*>(bytes), size)))
                into.servers.push_back(*server);
            if ((r = sd_bus_message_exit_container(reply)) < 0) return r;
        }
        if (r < 0) return r;
        if ((r = sd_bus_message_exit_container(reply)) < 0) return r;
        return sd_bus_message_exit_container(reply);
    }
    if (name == "Domains") {
        int r = sd_bus_message_enter_container(reply, 'v', "a(sb)");
        if (r < 0) return r;
        r = sd_bus_message_enter_container(reply, 'a', "(sb)");
        const char* domain = nullptr;
        int route_only = 0;
        while (r > 0 && (r = sd_bus_message_read(reply, "(sb)", &domain, &route_only)) > 0) {
            if (route_only == 0)
                into.search.emplace_back(domain);
            else if (std::string(domain) == ".")
                into.exclusive = true;
            else
                into.route_only.emplace_back(domain);
        }
        if (r < 0) return r;
        if ((r = sd_bus_message_exit_container(reply)) < 0) return r;
        return sd_bus_message_exit_container(reply);
    }
    return sd_bus_message_skip(reply, "v");
}

Result<DnsSettings> read_link(sd_bus_message* reply) {
    DnsSettings settings;
    int r = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (r > 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        const char* name = nullptr;
        if ((r = sd_bus_message_read(reply, "s", &name)) < 0) break;
        if ((r = read_property(reply, name, settings)) < 0) break;
        r = sd_bus_message_exit_container(reply);
    }
    if (r < 0) return fail_errno(ErrorCode::kProtocol, -r, "cannot read a link of systemd-resolved");
    return settings;
}

// resolved writes names without the last dot and in lower case as they are; it gives domains back sorted by
// nothing in particular, so that sets are compared.
bool same(const DnsSettings& a, const DnsSettings& b) {
    const auto sorted = [](std::vector<std::string> names) {
        for (std::string& name : names)
            if (name.size() > 1 && name.back() == '.') name.pop_back();
        std::sort(names.begin(), names.end());
        names.erase(std::unique(names.begin(), names.end()), names.end());
        return names;
    };
    return a.servers == b.servers && a.exclusive == b.exclusive && sorted(a.search) == sorted(b.search) &&
           sorted(a.route_only) == sorted(b.route_only);
}

} // namespace

DnsResolved::DnsResolved(const DnsLedger& ledger, SystemBus& bus, Duration time_limit,
                         std::function<void()> changed)
    : ledger_(ledger)
    , resolved_(bus, kService, "systemd-resolved", time_limit)
    , changed_(std::move(changed)) {
    resolved_.on_restart([this] {
        known_.clear();
        changed_();
    });
    resolved_.on_properties(kPath, [this] { look_again(); });
}

DnsResolved::~DnsResolved() = default;

// It tells that servers or domains of some link have changed, not which: ours are read again.
void DnsResolved::look_again() {
    const auto all = known_; // what is called below may change it
    for (const auto& [link, known] : all) {
        const DnsSettings before = known.settings;
        read_back(link, known.ifindex, [this, name = link, before](const Result<void>&) {
            const auto now = known_.find(name);
            if (now == known_.end() || !same(now->second.settings, before)) changed_();
        });
    }
}

Result<BusMessage> DnsResolved::manager(const char* method, unsigned ifindex) {
    auto message = resolved_.method(kPath, kManager, method);
    if (message) sd_bus_message_append(message->get(), "i", static_cast<int>(ifindex));
    return message;
}

DnsSettings DnsResolved::share_of(const std::string& link, const DnsSettings& wanted,
                                  const std::string& leaving) const {
    DnsSettings share = wanted;
    for (const auto& [other, theirs] : ledger_.requests(plan::DnsBackend::kResolved)) { // newest first
        if (other == link) break;
        if (other != leaving && theirs.exclusive) share.exclusive = false;
    }
    return share;
}

void DnsResolved::set(const std::string& link, const DnsSettings& settings, ports::Done done) {
    give(link, share_of(link, settings), [this, link, done = std::move(done)](Result<void> given) {
        if (!given) return done(std::move(given));
        give_others(link, {}, done);
    });
}

void DnsResolved::give_others(const std::string& but, const std::string& leaving, ports::Done done) {
    plan::DnsRequests due;
    for (const auto& [link, wanted] : ledger_.requests(plan::DnsBackend::kResolved)) {
        const auto known = known_.find(link);
        if (link == but || link == leaving || known == known_.end() ||
            known->second.ifindex != ::if_nametoindex(link.c_str()))
            continue;
        DnsSettings share = share_of(link, wanted, leaving);
        if (!same(known->second.settings, share)) due.emplace_back(link, std::move(share));
    }
    give_each(std::move(due), std::move(done));
}

void DnsResolved::give_each(plan::DnsRequests due, ports::Done done) {
    if (due.empty()) return done({});
    const auto [link, share] = std::move(due.back());
    due.pop_back();
    give(link, share,
         [this, due = std::move(due), done = std::move(done), name = link](const Result<void>& given) {
             // Its own tunnel sees that it is not as it should be, and tells.
             if (!given) log::warning("{}: {}", name, given.error().message);
             give_each(due, done);
         });
}

void DnsResolved::give(const std::string& link, const DnsSettings& settings, ports::Done done) {
    const unsigned ifindex = ::if_nametoindex(link.c_str());
    if (ifindex == 0) return done(fail_errno(ErrorCode::kKernel, errno, "no link " + link));
    auto servers = manager("SetLinkDNS", ifindex);
    if (servers) append_servers(servers->get(), settings.servers);
    auto domains = manager("SetLinkDomains", ifindex);
    if (domains) append_domains(domains->get(), settings);
    auto route = manager("SetLinkDefaultRoute", ifindex);
    if (route) sd_bus_message_append(route->get(), "b", settings.exclusive ? 1 : 0);
    known_.erase(link);
    const auto calls = std::make_shared<std::deque<Result<BusMessage>>>();
    calls->push_back(std::move(servers));
    calls->push_back(std::move(domains));
    calls->push_back(std::move(route));
    call_each(calls, [this, link, ifindex, done = std::move(done)](Result<void> sent) {
        if (!sent) return done(std::move(sent));
        read_back(link, ifindex, done);
    });
}

// One after the other; the first refusal ends it.
void DnsResolved::call_each(const std::shared_ptr<std::deque<Result<BusMessage>>>& calls, ports::Done done) {
    if (calls->empty()) return done({});
    auto call = std::move(calls->front());
    calls->pop_front();
    resolved_.ask(std::move(call), [this, calls, done = std::move(done)](Result<sd_bus_message*> reply) {
        if (!reply) return done(fail(std::move(reply).error()));
        call_each(calls, done);
    });
}

void DnsResolved::read_back(const std::string& link, unsigned ifindex, ports::Done done) {
    resolved_.ask(manager("GetLink", ifindex), [this, link, ifindex,
                                                done = std::move(done)](Result<sd_bus_message*> reply) {
        const char* path = nullptr;
        if (!reply) return done(fail(std::move(reply).error()));
        if (sd_bus_message_read(*reply, "o", &path) < 0)
            return done(fail(ErrorCode::kProtocol, "systemd-resolved names no link"));
        auto all = resolved_.method(path, "org.freedesktop.DBus.Properties", "GetAll");
        if (all) sd_bus_message_append(all->get(), "s", kLink);
        resolved_.ask(std::move(all), [this, link, ifindex, done](Result<sd_bus_message*> properties) {
            if (!properties) return done(fail(std::move(properties).error()));
            auto settings = read_link(*properties);
            if (!settings) return done(fail(std::move(settings).error()));
            known_[link] = {ifindex, std::move(*settings)};
            done({});
        });
    });
}

void DnsResolved::clear(const std::string& link, ports::Done done) {
    known_.erase(link);
    const unsigned ifindex = ::if_nametoindex(link.c_str());
    if (!resolved_.running()) return done({});                         // gone with its keeper
    if (ifindex == 0) return give_others(link, link, std::move(done)); // gone with the link
    resolved_.ask(manager("RevertLink", ifindex),
                  [this, link, done = std::move(done)](Result<sd_bus_message*> reply) {
                      // Deleting the link, which comes next, does the same.
                      if (!reply) log::warning("{}: {}", link, reply.error().message);
                      give_others(link, link, done);
                  });
}

bool DnsResolved::intact(const std::string& link, const DnsSettings& settings) {
    const auto known = known_.find(link);
    return known != known_.end() && known->second.ifindex == ::if_nametoindex(link.c_str()) &&
           same(known->second.settings, share_of(link, settings));
}

} // namespace wgd::sys
