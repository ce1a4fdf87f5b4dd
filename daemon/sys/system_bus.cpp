// SPDX-License-Identifier: MIT
#include "daemon/sys/system_bus.hpp"

#include <cerrno>
#include <cstring>
#include <systemd/sd-bus.h>
#include <vector>

#include "common/base/log.hpp"

namespace wgd::sys {
namespace {

constexpr Duration kRetry = std::chrono::seconds(10);
// The one question that is waited for, to the bus itself and when a connection begins: who is there?
constexpr std::uint64_t kOwnerLimitUsec = 500'000;

Failure bus_failure(int r, const std::string& what) {
    return fail_errno(ErrorCode::kBackend, -r, what);
}

} // namespace

void BusMessageDeleter::operator()(sd_bus_message* message) const {
    sd_bus_message_unref(message);
}
void BusSlotDeleter::operator()(sd_bus_slot* slot) const {
    sd_bus_slot_unref(slot);
}
void SystemBus::BusDeleter::operator()(sd_bus* bus) const {
    sd_bus_close_unref(bus);
}

struct SystemBus::Call {
    SystemBus* owner;
    Answer answer;
    BusSlot slot;
};

struct SystemBus::PropertyWatch {
    std::string name;
    std::string path;
    std::function<void()> changed;
    BusSlot slot;
};

SystemBus::SystemBus(loop::EventLoop& loop)
    : loop_(loop) {
    connect();
}

SystemBus::~SystemBus() {
    calls_.clear();
    if (bus_) sd_bus_detach_event(bus_.get());
}

void SystemBus::connect() {
    retry_.reset();
    sd_bus* bus = nullptr;
    if (sd_bus_open_system(&bus) < 0) return disconnected();
    bus_.reset(bus);
    if (sd_bus_attach_event(bus, loop_.native(), 0) < 0) return disconnected();
    if (auto subscribed = subscribe(); !subscribed) {
        log::debug("system bus: {}", subscribed.error().message);
        return disconnected();
    }
    for (const auto& [name, changed] : names_)
        learn_owner(name);
}

// Nobody is told: what was on the bus is most likely still running, and its end is not news of it.
void SystemBus::disconnected() {
    owner_slot_.reset();
    end_slot_.reset();
    for (const auto& watch : properties_)
        watch->slot.reset();
    if (bus_) sd_bus_detach_event(bus_.get());
    bus_.reset();
    running_.clear();
    auto calls = std::move(calls_);
    calls_.clear();
    for (auto& [key, call] : calls)
        call->answer(fail(ErrorCode::kBackend, "the system bus is gone"));
    auto timer = loop_.add_timer(kRetry, [this] { connect(); });
    if (timer) retry_ = std::move(*timer);
}

Result<void> SystemBus::subscribe() {
    sd_bus_slot* slot = nullptr;
    int r = sd_bus_match_signal_async(
        bus_.get(), &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "NameOwnerChanged",
        [](sd_bus_message* message, void* data, sd_bus_error*) {
            auto& self = *static_cast<SystemBus*>(data);
            const char* name = nullptr;
            const char* before = nullptr;
            const char* after = nullptr;
            if (sd_bus_message_read(message, "sss", &name, &before, &after) < 0) return 0;
            const auto watch = self.names_.find(name);
            if (watch == self.names_.end()) return 0;
            const bool running = *after != '\0';
            if (running)
                self.running_.insert(name);
            else
                self.running_.erase(name);
            watch->second(running);
            return 0;
        },
        nullptr, this);
    if (r < 0) return bus_failure(r, "cannot watch names");
    owner_slot_.reset(slot);
    // sd-bus(3) tells of the end of a connection by a message of its own.
    r = sd_bus_match_signal_async(
        bus_.get(), &slot, nullptr, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
        "Disconnected",
        [](sd_bus_message*, void* data, sd_bus_error*) {
            auto& self = *static_cast<SystemBus*>(data);
            // Not from within the connection's own callback.
            auto timer = self.loop_.add_timer(Duration::zero(), [&self] { self.disconnected(); });
            if (timer) self.retry_ = std::move(*timer);
            return 0;
        },
        nullptr, this);
    if (r < 0) return bus_failure(r, "cannot watch the connection");
    end_slot_.reset(slot);
    for (const auto& watch : properties_) {
        r = sd_bus_match_signal_async(
            bus_.get(), &slot, watch->name.c_str(), watch->path.c_str(), "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            [](sd_bus_message*, void* data, sd_bus_error*) {
                static_cast<PropertyWatch*>(data)->changed();
                return 0;
            },
            nullptr, watch.get());
        if (r < 0) return bus_failure(r, "cannot watch " + watch->name);
        watch->slot.reset(slot);
    }
    return {};
}

void SystemBus::learn_owner(const std::string& name) {
    auto question =
        method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner");
    if (!question) return;
    sd_bus_message_append(question->get(), "s", name.c_str());
    sd_bus_message* reply = nullptr;
    if (sd_bus_call(bus_.get(), question->get(), kOwnerLimitUsec, nullptr, &reply) < 0) return;
    const BusMessage owned(reply);
    int has = 0;
    if (sd_bus_message_read(reply, "b", &has) >= 0 && has != 0) running_.insert(name);
}

void SystemBus::watch_name(const std::string& name, std::function<void(bool)> changed) {
    names_[name] = std::move(changed);
    if (bus_) learn_owner(name);
}

void SystemBus::watch_properties(const std::string& name, const std::string& path,
                                 std::function<void()> changed) {
    properties_.push_back(
        std::unique_ptr<PropertyWatch>(new PropertyWatch{name, path, std::move(changed), nullptr}));
    if (!bus_) return;
    if (auto subscribed = subscribe(); !subscribed) log::warning("{}", subscribed.error().message);
}

Result<BusMessage> SystemBus::method(const std::string& service, const std::string& path,
                                     const std::string& interface, const std::string& member) {
    if (!bus_) return fail(ErrorCode::kBackend, "there is no system bus");
    sd_bus_message* raw = nullptr;
    const int r = sd_bus_message_new_method_call(bus_.get(), &raw, service.c_str(), path.c_str(),
                                                 interface.c_str(), member.c_str());
    if (r < 0) return bus_failure(r, "cannot call " + service);
    sd_bus_message_set_auto_start(raw, 0);
    return BusMessage(raw);
}

void SystemBus::call(BusMessage message, Duration time_limit, Answer answer) {
    auto call = std::make_unique<Call>(Call{this, std::move(answer), nullptr});
    sd_bus_slot* slot = nullptr;
    const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(time_limit).count();
    const int r =
        !bus_ ? -ENOTCONN
              : sd_bus_call_async(
                    bus_.get(), &slot, message.get(),
                    [](sd_bus_message* reply, void* data, sd_bus_error*) {
                        auto* key = static_cast<Call*>(data);
                        auto& calls = key->owner->calls_;
                        const auto found = calls.find(key);
                        if (found == calls.end()) return 0;
                        const auto held = std::move(found->second);
                        calls.erase(found);
                        const sd_bus_error* error = sd_bus_message_get_error(reply);
                        if (!error) {
                            held->answer(reply);
                        } else if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) != 0) {
                            held->answer(fail(ErrorCode::kTimeout, "it does not answer"));
                        } else {
                            held->answer(fail(ErrorCode::kBackend,
                                              error->message != nullptr ? error->message : error->name));
                        }
                        return 0;
                    },
                    call.get(), static_cast<std::uint64_t>(usec));
    if (r < 0) return call->answer(bus_failure(r, "cannot send on the system bus"));
    call->slot.reset(slot);
    calls_.emplace(call.get(), std::move(call));
}

} // namespace wgd::sys
