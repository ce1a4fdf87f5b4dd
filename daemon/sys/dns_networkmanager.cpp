// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_networkmanager.hpp"

#include <algorithm>
#include <fstream>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <systemd/sd-bus.h>

#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

using plan::DnsSettings;

constexpr const char* kService = "org.freedesktop.NetworkManager";
constexpr const char* kPath = "/org/freedesktop/NetworkManager";
constexpr const char* kDevice = "org.freedesktop.NetworkManager.Device";
constexpr const char* kDnsManager = "org.freedesktop.NetworkManager.DnsManager";
constexpr const char* kDnsPath = "/org/freedesktop/NetworkManager/DnsManager";
constexpr Duration kRetryTime = std::chrono::milliseconds(200);
constexpr std::uint32_t kPreserveExternalIp = 1; // NMDeviceReapplyFlags
// nm-settings(5), dns-priority: a negative one shuts out all that are greater.
constexpr std::int32_t kExclusivePriority = -100;
constexpr std::int32_t kOtherPriority = 50; // of a VPN

// Addresses of a link: NetworkManager wants to be told again what it finds there.
std::vector<IpPrefix> addresses_of(const std::string& link, Family family) {
    std::vector<IpPrefix> addresses;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return addresses;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (link != at->ifa_name || at->ifa_addr == nullptr || at->ifa_netmask == nullptr) continue;
        const bool v4 = at->ifa_addr->sa_family == AF_INET;
        if (!v4 && at->ifa_addr->sa_family != AF_INET6) continue;
        const auto bytes = [&](const sockaddr* address) {
            const void* from =
                v4 ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr)
                   : static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
            return ByteView(static_cast<const std::uint8_t*>(from), v4 ? 4U : 16U);
        };
        const auto address = IpAddress::from_bytes(bytes(at->ifa_addr));
        unsigned length = 0;
        for (const std::uint8_t byte : bytes(at->ifa_netmask))
            length += static_cast<unsigned>(__builtin_popcount(byte));
        if (!address || address->family() != family || address->is_link_local()) continue;
        if (const auto prefix = IpPrefix::make(*address, length)) addresses.push_back(*prefix);
    }
    ::freeifaddrs(list);
    return addresses;
}

std::vector<std::string> servers_of(const DnsSettings& settings) {
    std::vector<std::string> servers;
    for (const IpAddress& server : settings.servers)
        if (server.is_v4()) servers.push_back(server.to_string());
    return servers;
}

void append_variant(sd_bus_message* message, const char* key, const char* text) {
    sd_bus_message_append(message, "{sv}", key, "s", text);
}

void append_list(sd_bus_message* message, const char* key, const std::vector<std::string>& texts) {
    sd_bus_message_open_container(message, 'e', "sv");
    sd_bus_message_append(message, "s", key);
    sd_bus_message_open_container(message, 'v', "as");
    sd_bus_message_open_container(message, 'a', "s");
    for (const std::string& text : texts)
        sd_bus_message_append(message, "s", text.c_str());
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
}

void append_addresses(sd_bus_message* message, const std::vector<IpPrefix>& addresses) {
    sd_bus_message_open_container(message, 'e', "sv");
    sd_bus_message_append(message, "s", "address-data");
    sd_bus_message_open_container(message, 'v', "aa{sv}");
    sd_bus_message_open_container(message, 'a', "a{sv}");
    for (const IpPrefix& address : addresses)
        sd_bus_message_append(message, "a{sv}", 2, "address", "s", address.address().to_string().c_str(),
                              "prefix", "u", address.length());
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
}

// The addresses as they are, and DNS.
void append_ipv4(sd_bus_message* message, const std::string& link, const DnsSettings& settings) {
    sd_bus_message_open_container(message, 'e', "sa{sv}");
    sd_bus_message_append(message, "s", "ipv4");
    sd_bus_message_open_container(message, 'a', "{sv}");
    append_variant(message, "method", "manual");
    append_addresses(message, addresses_of(link, Family::kIpv4));
    std::vector<std::string> domains = settings.search;
    for (const std::string& domain : settings.route_only)
        domains.push_back("~" + domain);
    if (settings.exclusive) domains.emplace_back("~.");
    append_list(message, "dns-data", servers_of(settings));
    append_list(message, "dns-search", domains);
    sd_bus_message_append(message, "{sv}", "dns-priority", "i",
                          settings.exclusive ? kExclusivePriority : kOtherPriority);
    sd_bus_message_append(message, "{sv}", "never-default", "b", 1);
    sd_bus_message_close_container(message);
    sd_bus_message_close_container(message);
}

// proc(5): the last word of a line is the interface, the first the destination; fe80::/10 and ff00::/8 come
// by themselves.
bool has_ipv6_routes(const std::string& link) {
    std::ifstream routes("/proc/net/ipv6_route");
    for (std::string line; std::getline(routes, line);) {
        const std::size_t last = line.find_last_of(' ');
        if (last == std::string::npos || line.substr(last + 1) != link) continue;
        if (line.rfind("fe8", 0) != 0 && line.rfind("ff", 0) != 0) return true;
    }
    return false;
}

// It made its idea of a link when it first saw it, and when it is told anything about the link, it makes the
// link so: IPv6 that came later goes, in spite of kPreserveExternalIp (1.42.4).
Result<void> may_be_told(const std::string& link) {
    if (addresses_of(link, Family::kIpv4).empty())
        return fail(ErrorCode::kUnsupported, "NetworkManager takes DNS only for links with an IPv4 address");
    if (addresses_of(link, Family::kIpv6).empty() && !has_ipv6_routes(link)) return {};
    return fail(ErrorCode::kUnsupported,
                "NetworkManager would take the link's IPv6 away if it was told of DNS");
}

// Copies a section that is not ours to change ("connection", "tun", "wireguard", the other family).
int copy_section(sd_bus_message* from, sd_bus_message* to, const char* name) {
    sd_bus_message_open_container(to, 'e', "sa{sv}");
    sd_bus_message_append(to, "s", name);
    const int r = sd_bus_message_copy(to, from, 0);
    sd_bus_message_close_container(to);
    return r;
}

// Reads the reply of GetAppliedConnection and writes the arguments of Reapply.
int make_reapply(sd_bus_message* applied, sd_bus_message* reapply, const std::string& link,
                 const DnsSettings& settings) {
    int r = sd_bus_message_enter_container(applied, 'a', "{sa{sv}}");
    sd_bus_message_open_container(reapply, 'a', "{sa{sv}}");
    while (r > 0 && (r = sd_bus_message_enter_container(applied, 'e', "sa{sv}")) > 0) {
        const char* section = nullptr;
        if ((r = sd_bus_message_read(applied, "s", &section)) < 0) return r;
        const std::string name = section;
        r = name == "ipv4" ? sd_bus_message_skip(applied, "a{sv}") : copy_section(applied, reapply, section);
        if (r < 0 || (r = sd_bus_message_exit_container(applied)) < 0) return r;
    }
    if (r < 0 || (r = sd_bus_message_exit_container(applied)) < 0) return r;
    append_ipv4(reapply, link, settings);
    sd_bus_message_close_container(reapply);
    std::uint64_t version = 0;
    if ((r = sd_bus_message_read(applied, "t", &version)) < 0) return r;
    return sd_bus_message_append(reapply, "tu", version, kPreserveExternalIp);
}

// DnsManager.Configuration: aa{sv} with "nameservers" as and "interface" s.
int read_configuration_text(sd_bus_message* reply, std::map<std::string, std::vector<std::string>>& into) {
    int r = sd_bus_message_enter_container(reply, 'v', "aa{sv}");
    if (r < 0) return r;
    r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
    while (r > 0 && (r = sd_bus_message_enter_container(reply, 'a', "{sv}")) > 0) {
        std::string interface;
        std::vector<std::string> servers;
        while ((r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
            const char* key = nullptr;
            if ((r = sd_bus_message_read(reply, "s", &key)) < 0) return r;
            const std::string name = key;
            const char* text = nullptr;
            if (name == "interface") {
                if ((r = sd_bus_message_read(reply, "v", "s", &text)) < 0) return r;
                interface = text;
            } else if (name == "nameservers") {
                if ((r = sd_bus_message_enter_container(reply, 'v', "as")) < 0) return r;
                r = sd_bus_message_enter_container(reply, 'a', "s");
                while (r > 0 && (r = sd_bus_message_read(reply, "s", &text)) > 0)
                    servers.emplace_back(text);
                if (r < 0 || (r = sd_bus_message_exit_container(reply)) < 0) return r;
                if ((r = sd_bus_message_exit_container(reply)) < 0) return r;
            } else if ((r = sd_bus_message_skip(reply, "v")) < 0) {
                return r;
            }
            if ((r = sd_bus_message_exit_container(reply)) < 0) return r;
        }
        if (r < 0 || (r = sd_bus_message_exit_container(reply)) < 0) return r;
        auto& all = into[interface];
        all.insert(all.end(), servers.begin(), servers.end());
        r = 1;
    }
    return r;
}

} // namespace

// NetworkManager answers Reapply before it has written resolv.conf.
struct DnsNetworkManager::Waiting {
    std::string link;
    DnsSettings settings;
    ports::Done done;
    loop::SourcePtr limit;
};

DnsNetworkManager::DnsNetworkManager(loop::EventLoop& loop, SystemBus& bus, Duration time_limit,
                                     std::function<void()> changed)
    : loop_(loop)
    , manager_(bus, kService, "NetworkManager", time_limit)
    , time_limit_(time_limit)
    , changed_(std::move(changed)) {
    manager_.on_restart([this] {
        in_use_.clear();
        changed_();
    });
    manager_.on_properties(kDnsPath, [this] { configuration_changed(); });
}

DnsNetworkManager::~DnsNetworkManager() = default;

void DnsNetworkManager::configuration_changed() {
    const auto before = in_use_;
    read_configuration([this, before] {
        auto waiting = std::move(waiting_);
        waiting_.clear();
        const bool news = waiting.empty() && in_use_ != before;
        for (auto& [key, one] : waiting) {
            if (intact(one->link, one->settings)) {
                one->done({});
            } else {
                waiting_.emplace(key, std::move(one));
            }
        }
        if (news) changed_();
    });
}

void DnsNetworkManager::read_configuration(std::function<void()> then) {
    auto question = manager_.method(kDnsPath, "org.freedesktop.DBus.Properties", "Get");
    if (question) sd_bus_message_append(question->get(), "ss", kDnsManager, "Configuration");
    manager_.ask(std::move(question), [this, then = std::move(then)](Result<sd_bus_message*> reply) {
        std::map<std::string, std::vector<std::string>> now;
        if (!reply || read_configuration_text(*reply, now) < 0) return;
        in_use_ = std::move(now);
        then();
    });
}

void DnsNetworkManager::await_use(const std::string& link, const DnsSettings& settings, ports::Done done) {
    auto one = std::make_unique<Waiting>(Waiting{link, settings, std::move(done), nullptr});
    Waiting* key = one.get();
    auto limit = loop_.add_timer(time_limit_, [this, key] {
        const auto found = waiting_.find(key);
        if (found == waiting_.end()) return;
        const auto held = std::move(found->second);
        waiting_.erase(found);
        held->done(fail(ErrorCode::kTimeout, "NetworkManager took the DNS servers, but does not use them"));
    });
    if (limit) key->limit = std::move(*limit);
    waiting_.emplace(key, std::move(one));
    configuration_changed(); // perhaps it is done already
}

void DnsNetworkManager::reapply(const std::string& link, const DnsSettings& settings, ports::Done done) {
    auto question = manager_.method(kPath, kService, "GetDeviceByIpIface");
    if (question) sd_bus_message_append(question->get(), "s", link.c_str());
    manager_.ask(std::move(question),
                 [this, link, settings, done = std::move(done)](Result<sd_bus_message*> reply) {
                     const char* device = nullptr;
                     if (!reply) return done(fail(std::move(reply).error()));
                     if (sd_bus_message_read(*reply, "o", &device) < 0)
                         return done(fail(ErrorCode::kProtocol, "NetworkManager names no device"));
                     reapply_to(device, link, settings, done);
                 });
}

void DnsNetworkManager::reapply_to(const std::string& device, const std::string& link,
                                   const DnsSettings& settings, ports::Done done) {
    auto question = manager_.method(device, kDevice, "GetAppliedConnection");
    if (question) sd_bus_message_append(question->get(), "u", 0);
    manager_.ask(std::move(question), [this, device, link, settings,
                                       done = std::move(done)](Result<sd_bus_message*> applied) {
        if (!applied) return done(fail(std::move(applied).error()));
        auto call = manager_.method(device, kDevice, "Reapply");
        if (call && make_reapply(*applied, call->get(), link, settings) < 0)
            return done(fail(ErrorCode::kProtocol, "NetworkManager's connection cannot be read"));
        manager_.ask(std::move(call), [done](Result<sd_bus_message*> answer) {
            if (!answer) return done(fail(std::move(answer).error()));
            done({});
        });
    });
}

// It may not have seen a link that was made a moment ago, or be about to activate it.
void DnsNetworkManager::try_reapply(const std::string& link, const DnsSettings& settings, int tries,
                                    ports::Done done) {
    reapply(link, settings, [this, link, settings, tries, done = std::move(done)](Result<void> result) {
        if (result || tries <= 1) return done(std::move(result));
        auto timer = loop_.add_timer(kRetryTime, [this, link, settings, tries, done] {
            const auto spent = std::move(retries_[link]);
            retries_.erase(link);
            try_reapply(link, settings, tries - 1, done);
        });
        if (!timer) return done(std::move(result));
        retries_[link] = std::move(*timer);
    });
}

void DnsNetworkManager::set(const std::string& link, const DnsSettings& settings, ports::Done done) {
    if (auto may = may_be_told(link); !may) return done(std::move(may));
    if (!settings.servers.empty() && servers_of(settings).empty())
        return done(
            fail(ErrorCode::kUnsupported, "NetworkManager takes IPv4 servers for a link that has IPv4 only"));
    try_reapply(link, settings, static_cast<int>(time_limit_ / kRetryTime),
                [this, link, settings, done = std::move(done)](Result<void> result) {
                    if (!result || settings.servers.empty()) return done(std::move(result));
                    await_use(link, settings, done);
                });
}

void DnsNetworkManager::clear(const std::string& link, ports::Done done) {
    if (!manager_.running() || ::if_nametoindex(link.c_str()) == 0) return done({}); // gone with the link
    reapply(link, {}, [link, done = std::move(done)](const Result<void>& result) {
        // Deleting the link, which comes next, does the same.
        if (!result) log::warning("{}: {}", link, result.error().message);
        done({});
    });
}

bool DnsNetworkManager::intact(const std::string& link, const DnsSettings& settings) {
    if (settings.servers.empty()) return manager_.running();
    const auto used = in_use_.find(link);
    return used != in_use_.end() && used->second == servers_of(settings);
}

} // namespace wgd::sys
