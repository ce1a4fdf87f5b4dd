// SPDX-License-Identifier: MIT
#include "tests/bus/fake_manager.hpp"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>

#include "common/base/log.hpp"

namespace wgd::test {
namespace {

using control::PeerState;
using control::TunnelState;
using control::TunnelView;

constexpr std::size_t kHugePeers = 10'000;

// What a name of the form err-N asks for.
std::optional<Error> scripted_error(const ProfileName& name) {
    if (name.str().rfind("err-", 0) != 0) return std::nullopt;
    const auto code = static_cast<ErrorCode>(std::atoi(name.str().c_str() + 4));
    return Error{code, "scripted failure '" + std::string(to_string(code)) + "'\nwith a second line", 0};
}

void throw_if_asked(const ProfileName& name) {
    if (name.str() == "throws") throw std::runtime_error("a bug in the manager");
}

PublicKey key(std::size_t number) {
    std::array<std::uint8_t, kKeySize> bytes{};
    for (std::size_t i = 0; i < sizeof number; ++i)
        bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
    bytes[31] = 0x42;
    return PublicKey(bytes);
}

control::PeerView peer(std::size_t number) {
    control::PeerView view;
    view.public_key = key(number);
    view.allowed_ips = {*IpPrefix::parse("10." + std::to_string(number / 65536) + "." +
                                         std::to_string(number / 256 % 256) + "." +
                                         std::to_string(number % 256))};
    return view;
}

std::vector<control::PeerView> home_peers() {
    auto office = peer(1);
    office.name = "office";
    office.endpoint_spec = "vpn.example.net:51820";
    office.endpoint = Endpoint::parse("203.0.113.77:51820");
    office.allowed_ips = {*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")};
    office.persistent_keepalive = 25;
    office.has_preshared_key = true;
    office.state = PeerState::kActive;
    office.latest_handshake = system_clock().wall();
    office.rx_bytes = 1000;
    office.tx_bytes = 2000;
    return {office, peer(2)};
}

} // namespace

TunnelView& FakeManager::add(const ProfileName& name, TunnelState state) {
    TunnelView view{.name = name, .state = state};
    view.backend = plan::Backend::kUserspace;
    view.backend_reason = "no kernel WireGuard: Operation not supported";
    view.interface = name.str();
    view.ifindex = 7;
    view.public_key = key(99);
    view.listen_port = 51820;
    view.fwmark = 0xca6c;
    view.mtu = 1420;
    view.addresses = {*IpPrefix::parse("10.9.0.2/32"), *IpPrefix::parse("fd09::2/128")};
    view.dns = {"10.9.0.1", "corp.example"};
    view.dns_backend = "resolved";
    view.dns_reason = "/etc/resolv.conf is systemd-resolved's";
    std::vector<control::PeerView> peers = home_peers();
    if (name.str() == "latin") {
        peers[0].name = "caf\xe9";
        view.warnings = {"na\xefve"};
    }
    if (name.str() == "huge") {
        peers.clear();
        for (std::size_t i = 0; i < kHugePeers; ++i) {
            peers.push_back(peer(i));
            for (int j = 0; j < 4; ++j)
                peers.back().allowed_ips.push_back(
                    *IpPrefix::parse("fd00:" + std::to_string(j) + "::" + std::to_string(i % 10000)));
        }
    }
    view.peers = std::move(peers);
    auto& stored = tunnels_.insert_or_assign(name, std::move(view)).first->second;
    if (observer_ != nullptr) observer_->on_tunnel_added(stored);
    return stored;
}

void FakeManager::change(const ProfileName& name, TunnelState state) {
    auto& view = tunnels_.at(name);
    view.state = state;
    if (observer_ != nullptr) observer_->on_tunnel_changed(view);
}

Result<TunnelView> FakeManager::script(const std::string& verb) {
    const auto home = tunnels_.find(*ProfileName::parse("home"));
    if (home == tunnels_.end()) return fail(ErrorCode::kNotFound, "bring 'home' up first");
    auto& view = home->second;
    std::vector<control::PeerView> peers(view.peers.begin(), view.peers.end());
    if (verb == "roam") {
        peers[0].endpoint = Endpoint::parse("198.51.100.88:4242");
        peers[0].rx_bytes += 5000;
        peers[0].latest_handshake = system_clock().wall();
        peers[0].state = PeerState::kIdle;
        view.mtu = 1380;
    } else if (verb == "grow") {
        peers.push_back(peer(peers.size() + 100));
    } else if (verb == "shrink") {
        peers.pop_back();
    } else {
        view.last_error = "cannot reach secret-host.example:51820";
        view.warnings = {"secret-host.example does not resolve"};
    }
    view.peers = std::move(peers);
    if (observer_ != nullptr) observer_->on_tunnel_changed(view);
    return view;
}

void FakeManager::up(const ProfileName& name, Reply<TunnelView> reply) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return reply(fail(*error));
    const std::string& word = name.str();
    if (word == "roam" || word == "grow" || word == "shrink" || word == "oops") return reply(script(word));
    if (word == "hang") {
        log::debug("hanging"); // what reconnect.sh waits for
        hanging_.push_back(std::move(reply));
        return;
    }
    if (word == "dropped") return;
    if (const auto at = tunnels_.find(name); at != tunnels_.end()) return reply(at->second);
    if (word != "slow") return reply(add(name, TunnelState::kUp));
    add(name, TunnelState::kResolving);
    timers_.push_back(
        *loop_.add_timer(std::chrono::seconds(1), [this, name] { change(name, TunnelState::kApplying); }));
    timers_.push_back(*loop_.add_timer(std::chrono::seconds(2), [this, name, reply] {
        change(name, TunnelState::kUp);
        reply(tunnels_.at(name));
    }));
}

void FakeManager::down(const ProfileName& name, Reply<void> reply) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return reply(fail(*error));
    if (tunnels_.erase(name) == 0) return reply(fail(ErrorCode::kNotFound, "'" + name.str() + "' is not up"));
    if (observer_ != nullptr) observer_->on_tunnel_removed(name);
    reply({});
}

void FakeManager::reload(const ProfileName& name, Reply<control::PlanText> reply) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return reply(fail(*error));
    const auto at = tunnels_.find(name);
    if (at == tunnels_.end()) return reply(fail(ErrorCode::kNotFound, "'" + name.str() + "' is not up"));
    if (at->second.mtu == 1400) return reply(control::PlanText{}); // the profile is as it was
    at->second.mtu = 1400;
    if (observer_ != nullptr) observer_->on_tunnel_changed(at->second);
    reply(control::PlanText{{"ip link set dev " + name.str() + " mtu 1400"}, {"a warning about caf\xe9"}});
}

Result<void> FakeManager::cancel(const ProfileName& name) {
    if (name.str() != "hang" || hanging_.empty()) return fail(ErrorCode::kNotFound, "nothing is under way");
    for (const auto& reply : std::exchange(hanging_, {}))
        reply(fail(ErrorCode::kCancelled, "'hang' was interrupted"));
    return {};
}

Result<std::vector<std::string>> FakeManager::save(const ProfileName& name, bool force) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return fail(*error);
    if (tunnels_.count(name) == 0) return fail(ErrorCode::kNotFound, "'" + name.str() + "' is not up");
    if (!force) return std::vector<std::string>{};
    return std::vector<std::string>{"MTU = 1400"};
}

void FakeManager::plan(const ProfileName& name, const std::string& verb, Reply<control::PlanText> reply) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return reply(fail(*error));
    reply(control::PlanText{{verb == "up"     ? "ip link add dev " + name.str() + " type wireguard"
                             : verb == "down" ? "ip link delete dev " + name.str()
                                              : "ip link set dev " + name.str() + " mtu 1400"},
                            {"a warning about caf\xe9"}});
}

Result<std::vector<Diagnostic>> FakeManager::check(const ProfileName& name) {
    throw_if_asked(name);
    if (auto error = scripted_error(name)) return fail(*error);
    if (name.str() != "broken") return std::vector<Diagnostic>{};
    return std::vector<Diagnostic>{
        {Severity::kError, {3, 5}, "unknown key 'PrivatKey'", "PrivateKey"},
        {Severity::kWarning, {7, 1}, "host bits of caf\xe9", ""},
    };
}

Result<std::vector<control::ProfileSummary>> FakeManager::list_profiles() {
    std::vector<control::ProfileSummary> profiles;
    for (const char* word : {"broken", "home", "slow"}) {
        const auto name = *ProfileName::parse(word);
        const auto at = tunnels_.find(name);
        profiles.push_back({name, "/etc/wireguard/" + name.str() + ".conf",
                            at == tunnels_.end() ? TunnelState::kDown : at->second.state,
                            name.str() == "broken" ? "line 3: unknown key 'PrivatKey'" : ""});
    }
    return profiles;
}

std::vector<TunnelView> FakeManager::tunnels() {
    std::vector<TunnelView> views;
    for (auto& [name, view] : tunnels_)
        views.push_back(view);
    return views;
}

Result<TunnelView> FakeManager::tunnel(const ProfileName& name) {
    throw_if_asked(name);
    const auto at = tunnels_.find(name);
    if (at == tunnels_.end()) return fail(ErrorCode::kNotFound, "'" + name.str() + "' is not up");
    std::vector<control::PeerView> peers(at->second.peers.begin(), at->second.peers.end());
    for (control::PeerView& peer : peers)
        if (peer.rx_bytes != 0) peer.rx_bytes += 1000;
    at->second.peers = std::move(peers);
    return at->second;
}

std::vector<std::pair<std::string, std::string>> FakeManager::backends() {
    return {{"kernel", "not there: Operation not supported"}, {"userspace", "/usr/sbin/wgd-datapath"}};
}

} // namespace wgd::test
