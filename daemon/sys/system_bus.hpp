// SPDX-License-Identifier: MIT
// SystemBus: wgd as a client of others on the system bus (systemd-resolved, NetworkManager), by sd-bus(3) on
// the loop. All calls are asynchronous and have a time limit. A bus that is not there, or goes away, is
// looked for again from time to time; calls fail until then.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "daemon/loop/event_loop.hpp"

struct sd_bus;
struct sd_bus_message;
struct sd_bus_slot;

namespace wgd::sys {

struct BusMessageDeleter {
    void operator()(sd_bus_message* message) const;
};
using BusMessage = std::unique_ptr<sd_bus_message, BusMessageDeleter>;
struct BusSlotDeleter {
    void operator()(sd_bus_slot* slot) const;
};
using BusSlot = std::unique_ptr<sd_bus_slot, BusSlotDeleter>;

class SystemBus {
  public:
    // The reply, valid for the time of the call; an error carries the peer's own words (kBackend), kTimeout.
    using Answer = std::function<void(Result<sd_bus_message*>)>;

    explicit SystemBus(loop::EventLoop& loop);
    ~SystemBus();
    SystemBus(const SystemBus&) = delete;
    SystemBus& operator=(const SystemBus&) = delete;

    // `changed` hears of each change of owner: a program that was started, ended or restarted.
    void watch_name(const std::string& name, std::function<void(bool running)> changed);
    [[nodiscard]] bool running(const std::string& name) const { return running_.count(name) != 0; }
    // PropertiesChanged below a path, of the owner of `name`; stays over restarts of either.
    void watch_properties(const std::string& name, const std::string& path, std::function<void()> changed);

    // A method call that does not start the service if it is not running. kBackend without a bus.
    Result<BusMessage> method(const std::string& service, const std::string& path,
                              const std::string& interface, const std::string& member);
    // Answers are not given any more once this object is gone.
    void call(BusMessage message, Duration time_limit, Answer answer);

  private:
    struct Call;
    struct PropertyWatch;

    void connect();
    void disconnected();
    Result<void> subscribe();
    void learn_owner(const std::string& name);

    loop::EventLoop& loop_;
    struct BusDeleter {
        void operator()(sd_bus* bus) const;
    };
    std::unique_ptr<sd_bus, BusDeleter> bus_;
    BusSlot owner_slot_;
    BusSlot end_slot_;
    std::map<std::string, std::function<void(bool)>> names_;
    std::vector<std::unique_ptr<PropertyWatch>> properties_;
    std::set<std::string> running_;
    std::map<Call*, std::unique_ptr<Call>> calls_;
    loop::SourcePtr retry_;
};

} // namespace wgd::sys
