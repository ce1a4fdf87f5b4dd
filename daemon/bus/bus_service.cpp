// SPDX-License-Identifier: MIT
#include "daemon/bus/bus_service.hpp"

#include <algorithm>
#include <map>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <utility>

#include "common/base/log.hpp"
#include "daemon/bus/call.hpp"
#include "daemon/bus/gate.hpp"
#include "daemon/bus/manager_object.hpp"
#include "daemon/bus/pump.hpp"
#include "daemon/bus/tunnel_object.hpp"
#include "dbus/names.hpp"

namespace wgd::bus {
namespace {

// The few synchronous calls (hello, the name) are to the bus itself; one that does not answer must not hold
// us.
constexpr std::uint64_t kDriverTimeoutUsec = 5'000'000;
constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLastRetry = std::chrono::seconds(15);

// Everything that lives and dies with one connection. The order of members is the order of dependence: calls
// and objects go before the connection they refer to.
class Session {
  public:
    // Throws sdbus::Error.
    explicit Session(control::Manager& manager)
        : manager_(manager)
        , connection_(connect())
        , callers_(*connection_)
        , authority_(callers_)
        , gate_(authority_, calls_)
        , root_(*connection_, manager, gate_) {
        for (auto& tunnel : manager.tunnels())
            add(std::move(tunnel));
    }

    Result<void> attach(sd_event* event, std::function<void(const std::string&)> lost) {
        auto pump = Pump::create(event, *connection_, std::move(lost));
        if (!pump) return fail(std::move(pump).error());
        pump_ = *std::move(pump);
        return {};
    }

    void request_name() { connection_->requestName(dbus::kBusName); }

    void add(control::TunnelView view) {
        const ProfileName name = view.name;
        remove(name);
        tunnels_.emplace(name,
                         std::make_unique<TunnelObject>(*connection_, manager_, gate_, std::move(view)));
    }
    void change(control::TunnelView view) {
        const auto at = tunnels_.find(view.name);
        if (at == tunnels_.end())
            add(std::move(view));
        else
            at->second->update(std::move(view));
    }
    void lockdown_changed() { root_.lockdown_changed(); }
    void remove(const ProfileName& name) {
        const auto at = tunnels_.find(name);
        if (at == tunnels_.end()) return;
        const auto gone = std::move(at->second);
        tunnels_.erase(at);
        gone->withdraw();
    }

  private:
    static std::unique_ptr<sdbus::IConnection> connect() {
        auto connection = sdbus::createSystemBusConnection();
        connection->setMethodCallTimeout(kDriverTimeoutUsec);
        return connection;
    }

    control::Manager& manager_;
    std::unique_ptr<sdbus::IConnection> connection_;
    CallerLookup callers_;
    RootAuthority authority_;
    CallTable calls_;
    Gate gate_;
    ManagerObject root_;
    std::map<ProfileName, std::unique_ptr<TunnelObject>> tunnels_;
    std::unique_ptr<Pump> pump_;
};

class SystemBusService : public BusService, private control::ManagerObserver {
  public:
    SystemBusService(loop::EventLoop& loop, control::Manager& manager)
        : loop_(loop)
        , manager_(manager) {
        manager_.set_observer(this);
    }
    ~SystemBusService() override { manager_.set_observer(nullptr); }

    Result<void> connect() {
        try {
            session_ = std::make_unique<Session>(manager_);
        } catch (const std::exception& error) { // sdbus::Error; createObject also throws std::runtime_error
            return fail(ErrorCode::kIo, std::string("cannot reach the system bus: ") + error.what());
        }
        auto attached = session_->attach(loop_.native(), [this](const std::string& reason) { lost(reason); });
        if (!attached) session_.reset();
        return attached;
    }

    Result<void> request_name() override {
        name_wanted_ = true;
        if (!session_) return fail(ErrorCode::kIo, "the system bus is not connected");
        try {
            session_->request_name();
            return {};
        } catch (const sdbus::Error& error) {
            if (error.getName() == "org.freedesktop.DBus.Error.FileExists") // sd-bus: -EEXIST
                return fail(ErrorCode::kBusy,
                            std::string("another process is ") + dbus::kBusName + " already");
            const auto code = dbus::error_code(error.getName()).value_or(ErrorCode::kIo);
            return fail(code, std::string("cannot become ") + dbus::kBusName +
                                  " on the bus: " + error.getMessage());
        }
    }

  private:
    // Called from within the connection's own callback: it must not be destroyed here.
    void lost(const std::string& reason) {
        log::warning("lost the system bus ({}); tunnels stay, reconnecting", reason);
        retry_ = kFirstRetry;
        loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
            if (alive.expired()) return;
            session_.reset();
            retry_later();
        });
    }

    void retry_later() {
        auto timer = loop_.add_timer(retry_, [this] { reconnect(); });
        if (!timer)
            return log::error("cannot wait to reconnect to the system bus: {}", timer.error().message);
        timer_ = *std::move(timer);
        retry_ = std::min(retry_ * 2, kLastRetry);
    }

    void reconnect() {
        auto connected = connect();
        if (connected && name_wanted_) connected = request_name();
        if (connected) return log::notice("back on the system bus");
        log::debug("{}; next try in {} ms", connected.error().message,
                   std::chrono::duration_cast<std::chrono::milliseconds>(retry_).count());
        session_.reset(); // without the name nobody finds us: begin again
        retry_later();
    }

    void on_tunnel_added(const control::TunnelView& tunnel) override {
        if (session_) quietly("publish tunnel", [&] { session_->add(tunnel); });
    }
    void on_tunnel_changed(const control::TunnelView& tunnel) override {
        if (session_) quietly("update tunnel", [&] { session_->change(tunnel); });
    }
    void on_tunnel_removed(const ProfileName& name) override {
        if (session_) quietly("withdraw tunnel", [&] { session_->remove(name); });
    }
    void on_lockdown_changed() override {
        if (session_) quietly("announce lockdown", [&] { session_->lockdown_changed(); });
    }

    loop::EventLoop& loop_;
    control::Manager& manager_;
    bool name_wanted_ = false;
    Duration retry_ = kFirstRetry;
    loop::SourcePtr timer_;
    std::unique_ptr<Session> session_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace

Result<std::unique_ptr<BusService>> BusService::create(loop::EventLoop& loop, control::Manager& manager) {
    auto service = std::make_unique<SystemBusService>(loop, manager);
    if (auto connected = service->connect(); !connected) return fail(std::move(connected).error());
    return std::unique_ptr<BusService>(std::move(service));
}

} // namespace wgd::bus
