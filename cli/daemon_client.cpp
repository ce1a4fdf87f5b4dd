// SPDX-License-Identifier: MIT
#include "cli/daemon_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <poll.h>
#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>
#include <utility>

#include "cli/interruption.hpp"
#include "dbus/generated/manager_proxy.hpp"
#include "dbus/generated/tunnel_proxy.hpp"
#include "dbus/names.hpp"

namespace wgd::cli {
namespace {

using Properties = std::map<std::string, sdbus::Variant>;
using ManagedObjects = std::map<sdbus::ObjectPath, std::map<std::string, Properties>>;

// Long enough for a loaded machine to answer a question about its state.
constexpr std::uint64_t kQuestionTimeoutUsec = 30'000'000;
constexpr int kProgressIntervalMs = 100;
constexpr char kGone[] = "daemon-gone";

CommandError no_daemon(const std::string& why) {
    return {kNoDaemon, "no-daemon",
            "the wgd daemon is not there (" + why +
                "); start it with 'systemctl start wgd', or run 'wgd' as root"};
}

CommandError from_bus(const sdbus::Error& error) {
    const std::string& name = error.getName();
    const auto starts = [&](std::string_view prefix) { return name.rfind(prefix, 0) == 0; };
    // No owner of the name, and no way to start one.
    if (name == dbus::kServiceUnknown || name == "org.freedesktop.DBus.Error.NameHasNoOwner" ||
        starts("org.freedesktop.DBus.Error.Spawn.") || starts("org.freedesktop.systemd1."))
        return no_daemon(error.getMessage());
    if (name == "org.freedesktop.DBus.Error.NoReply" || name == "org.freedesktop.DBus.Error.Disconnected")
        return {kNoDaemon, kGone, "the daemon went away before it answered (" + error.getMessage() + ")"};
    CommandError result =
        to_command_error(Error{dbus::error_code(name).value_or(ErrorCode::kInternal), error.getMessage(), 0});
    if (result.exit == kDenied && ::geteuid() != 0) result.message += "; try again with sudo";
    return result;
}

template <class Body>
auto from_daemon(Body&& body) -> Outcome<decltype(body())> {
    try {
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            return {};
        } else {
            return body();
        }
    } catch (const sdbus::Error& error) {
        return tl::unexpected(from_bus(error));
    }
}

template <class T>
void take(const Properties& from, const char* key, T& to) {
    if (const auto at = from.find(key); at != from.end() && at->second.containsValueOfType<T>())
        to = at->second.get<T>();
}

TunnelStatus to_tunnel(const Properties& from) {
    TunnelStatus tunnel;
    take(from, "Name", tunnel.name);
    take(from, "State", tunnel.state);
    take(from, "LastError", tunnel.last_error);
    take(from, "Backend", tunnel.backend);
    take(from, "BackendReason", tunnel.backend_reason);
    take(from, "KillSwitch", tunnel.kill_switch);
    take(from, "Interface", tunnel.interface);
    take(from, "Netns", tunnel.netns);
    take(from, "Ifindex", tunnel.ifindex);
    take(from, "PublicKey", tunnel.public_key);
    take(from, "ListenPort", tunnel.listen_port);
    take(from, "FwMark", tunnel.fwmark);
    take(from, "Mtu", tunnel.mtu);
    take(from, "PathMtu", tunnel.path_mtu);
    take(from, "Addresses", tunnel.addresses);
    take(from, "Dns", tunnel.dns);
    take(from, "DnsBackend", tunnel.dns_backend);
    take(from, "DnsReason", tunnel.dns_reason);
    take(from, "Warnings", tunnel.warnings);
    take(from, "Residue", tunnel.residue);
    sdbus::Struct<std::uint32_t, std::string> drift;
    take(from, "Drift", drift);
    tunnel.drift_count = drift.get<0>();
    tunnel.drift_last = drift.get<1>();
    return tunnel;
}

PeerStatus to_peer(const Properties& from) {
    PeerStatus peer;
    take(from, "PublicKey", peer.public_key);
    take(from, "Name", peer.name);
    take(from, "State", peer.state);
    take(from, "Endpoint", peer.endpoint);
    take(from, "EndpointSpec", peer.endpoint_spec);
    take(from, "AllowedIps", peer.allowed_ips);
    take(from, "PersistentKeepalive", peer.persistent_keepalive);
    take(from, "HasPresharedKey", peer.has_preshared_key);
    take(from, "LatestHandshake", peer.latest_handshake);
    take(from, "RxBytes", peer.rx_bytes);
    take(from, "TxBytes", peer.tx_bytes);
    return peer;
}

class ManagerProxy final : public sdbus::ProxyInterfaces<org::wgd1::Manager_proxy> {
  public:
    explicit ManagerProxy(sdbus::IConnection& connection)
        : ProxyInterfaces(connection, dbus::kBusName, dbus::kRootPath) {
        registerProxy();
    }
    ~ManagerProxy() { unregisterProxy(); }
    sdbus::IProxy& raw() { return getProxy(); }
};

class TunnelProxy final : public sdbus::ProxyInterfaces<org::wgd1::Tunnel_proxy, sdbus::Properties_proxy> {
  public:
    using Changed = std::function<void(const Properties&)>;
    TunnelProxy(sdbus::IConnection& connection, const std::string& path, Changed changed = {})
        : ProxyInterfaces(connection, dbus::kBusName, path)
        , changed_(std::move(changed)) {
        registerProxy();
    }
    ~TunnelProxy() { unregisterProxy(); }

  private:
    void onPropertiesChanged(const std::string&, const Properties& changed,
                             const std::vector<std::string>&) override {
        if (changed_) changed_(changed);
    }
    Changed changed_;
};

class BusDaemonClient : public DaemonClient {
  public:
    explicit BusDaemonClient(std::unique_ptr<sdbus::IConnection> connection)
        : connection_(std::move(connection))
        , manager_(*connection_) {
        connection_->setMethodCallTimeout(kQuestionTimeoutUsec);
    }

    Outcome<void> up(const std::string& name, const Progress& progress) override {
        return operate(name, progress, true, [&](Answer& answer) {
            invoke("Up", name,
                   [&answer](const sdbus::Error* error, const sdbus::ObjectPath&) { answer.take(error); });
        });
    }

    Outcome<void> down(const std::string& name, const Progress& progress) override {
        return operate(name, progress, false, [&](Answer& answer) {
            invoke("Down", name, [&answer](const sdbus::Error* error) { answer.take(error); });
        });
    }

    Outcome<PlanReply> reload(const std::string& name, const Progress& progress) override {
        PlanReply reply;
        auto done = operate(name, progress, true, [&](Answer& answer) {
            using Strings = std::vector<std::string>;
            invoke("Reload", name,
                   [&](const sdbus::Error* error, const Strings& steps, const Strings& warnings) {
                       if (error == nullptr) reply = {steps, warnings};
                       answer.take(error);
                   });
        });
        if (!done) return tl::unexpected(std::move(done).error());
        return reply;
    }

    Outcome<std::vector<std::string>> save(const std::string& name, bool force) override {
        return from_daemon([&] {
            Properties options;
            if (force) options.emplace("force", true);
            return manager_.Save(name, options);
        });
    }

    Outcome<PlanReply> plan(const std::string& name, const std::string& verb) override {
        return from_daemon([&] {
            auto [steps, warnings] = manager_.Plan(name, verb);
            return PlanReply{std::move(steps), std::move(warnings)};
        });
    }

    Outcome<std::vector<Diagnostic>> check(const std::string& name) override {
        return from_daemon([&] {
            std::vector<Diagnostic> diagnostics;
            for (const auto& row : manager_.Check(name))
                diagnostics.push_back({row.get<0>() == "warning" ? Severity::kWarning : Severity::kError,
                                       SourcePosition{row.get<1>(), row.get<2>()}, row.get<3>(),
                                       row.get<4>()});
            return diagnostics;
        });
    }

    Outcome<std::vector<ProfileRow>> list_profiles() override {
        return from_daemon([&] {
            std::vector<ProfileRow> profiles;
            for (const auto& row : manager_.ListProfiles()) {
                ProfileRow profile;
                take(row, "Name", profile.name);
                take(row, "Path", profile.path);
                take(row, "State", profile.state);
                take(row, "Problem", profile.problem);
                profiles.push_back(std::move(profile));
            }
            return profiles;
        });
    }

    Outcome<std::string> lockdown() override {
        return from_daemon([&]() -> std::string {
            try {
                return manager_.Lockdown();
            } catch (const sdbus::Error& error) {
                if (error.getName() == "org.freedesktop.DBus.Error.UnknownProperty") return "";
                throw;
            }
        });
    }

    Outcome<std::vector<TunnelStatus>> tunnels() override {
        return from_daemon([&] {
            // What the ObjectManager lists, rather than the profiles: a tunnel may have lost its profile.
            ManagedObjects objects;
            manager_.raw()
                .callMethod("GetManagedObjects")
                .onInterface("org.freedesktop.DBus.ObjectManager")
                .storeResultsTo(objects);
            std::vector<TunnelStatus> tunnels;
            for (const auto& [path, interfaces] : objects) {
                const auto at = interfaces.find(dbus::kTunnelInterface);
                if (at == interfaces.end()) continue;
                TunnelStatus tunnel = to_tunnel(at->second);
                TunnelProxy proxy(*connection_, path);
                add_peers(proxy, tunnel);
                tunnels.push_back(std::move(tunnel));
            }
            std::sort(tunnels.begin(), tunnels.end(),
                      [](const TunnelStatus& a, const TunnelStatus& b) { return a.name < b.name; });
            return tunnels;
        });
    }

    Outcome<TunnelStatus> tunnel(const std::string& name, bool with_peers) override {
        const auto profile = ProfileName::parse(name);
        if (!profile) return tl::unexpected(to_command_error(profile.error()));
        auto found = from_daemon([&] {
            TunnelProxy proxy(*connection_, dbus::tunnel_path(*profile));
            TunnelStatus tunnel = to_tunnel(proxy.GetAll(dbus::kTunnelInterface));
            if (with_peers) add_peers(proxy, tunnel);
            return tunnel;
        });
        // The bus speaks of objects.
        if (!found && found.error().exit == kNotFound)
            found.error().message = "tunnel '" + name + "' is not up";
        return found;
    }

  private:
    static void add_peers(TunnelProxy& proxy, TunnelStatus& tunnel) {
        for (;;) {
            const auto [page, total] = proxy.GetPeers(static_cast<std::uint32_t>(tunnel.peers.size()), 0);
            for (const auto& row : page)
                tunnel.peers.push_back(to_peer(row));
            if (page.empty() || tunnel.peers.size() >= total) return;
        }
    }

    struct Answer {
        bool came = false;
        std::optional<sdbus::Error> error;
        void take(const sdbus::Error* reply) {
            came = true;
            if (reply != nullptr) error = *reply;
        }
    };

    // Up, Down or Reload: takes as long as it takes, and tells how it goes. A signal cancels it where that is
    // possible, and then its end is waited for; another one is not waited with.
    template <class Send>
    Outcome<void> operate(const std::string& name, const Progress& progress, bool cancellable, Send send) {
        Interruption interruption;
        int signal = 0;
        bool waited = true;
        auto done = from_daemon([&] {
            std::string state;
            std::optional<TunnelProxy> watched;
            if (const auto profile = ProfileName::parse(name); profile && progress)
                watched.emplace(*connection_, dbus::tunnel_path(*profile),
                                [&](const Properties& changed) { take(changed, "State", state); });
            Answer answer;
            send(answer);
            while (!answer.came) {
                wait(progress ? kProgressIntervalMs : -1, interruption.fd());
                if (const int came = interruption.take(); came != 0 && !answer.came) {
                    waited = signal == 0 && cancellable;
                    signal = came;
                    if (!waited) return;
                    cancel(name);
                }
                if (progress && !answer.came) progress(state);
            }
            if (answer.error) throw sdbus::Error(*answer.error);
        });
        if (!waited)
            return tl::unexpected(
                CommandError{static_cast<ExitCode>(kSignalled + signal), "interrupted",
                             std::string("not waited for any longer; wgd goes on ") +
                                 (cancellable ? "undoing what it had begun" : "taking '" + name + "' down")});
        if (!done && done.error().exit == kNoDaemon && done.error().code == kGone)
            done.error().message += "; what it had begun is undone when it is started again";
        if (!done && signal != 0 && done.error().code == to_string(ErrorCode::kCancelled))
            done.error().exit = static_cast<ExitCode>(kSignalled + signal);
        return done;
    }

    // Whether there was still something to cancel shows in the answer that is waited for.
    void cancel(const std::string& name) {
        manager_.raw()
            .callMethodAsync("Cancel")
            .onInterface(dbus::kManagerInterface)
            .withArguments(name)
            .uponReplyInvoke([](const sdbus::Error*) {});
    }

    template <class Callback>
    void invoke(const char* method, const std::string& name, Callback callback) {
        manager_.raw()
            .callMethodAsync(method)
            .onInterface(dbus::kManagerInterface)
            .withTimeout(UINT64_MAX)
            .withArguments(name, Properties{})
            .uponReplyInvoke(std::move(callback));
    }

    // Handles what there is, then waits for more, at most `limit_ms` (-1: no limit), or for `other` (-1:
    // none).
    void wait(int limit_ms, int other) {
        if (connection_->processPendingRequest()) return;
        const auto data = connection_->getEventLoopPollData();
        int timeout = data.getPollTimeout();
        if (limit_ms >= 0 && (timeout < 0 || timeout > limit_ms)) timeout = limit_ms;
        std::array<pollfd, 2> poll_fds{{{data.fd, data.events, 0}, {other, POLLIN, 0}}};
        if (::poll(poll_fds.data(), poll_fds.size(), timeout) < 0 && errno != EINTR)
            throw sdbus::createError(errno, "poll");
    }

    std::unique_ptr<sdbus::IConnection> connection_;
    ManagerProxy manager_;
};

} // namespace

Outcome<std::unique_ptr<DaemonClient>> DaemonClient::connect() {
    try {
        return std::make_unique<BusDaemonClient>(sdbus::createSystemBusConnection());
    } catch (const sdbus::Error& error) {
        return tl::unexpected(
            CommandError{kNoDaemon, "no-bus",
                         "cannot reach the system bus: " + error.getMessage() + "; is dbus running?"});
    }
}

} // namespace wgd::cli
