// SPDX-License-Identifier: MIT
#include "daemon/bus/manager_object.hpp"

#include <set>
#include <utility>

#include "dbus/names.hpp"

namespace wgd::bus {
namespace {

// No option is defined yet. Ignoring one would be doing something else than was asked.
Result<void> refuse_options(const std::map<std::string, sdbus::Variant>& options) {
    if (options.empty()) return {};
    return fail(ErrorCode::kInvalidArgument, "unknown option '" + options.begin()->first + "'");
}

} // namespace

ManagerObject::ManagerObject(sdbus::IConnection& connection, control::Manager& manager, Gate& gate)
    : AdaptorInterfaces(connection, dbus::kRootPath)
    , manager_(manager)
    , gate_(gate) {
    registerAdaptor();
}

ManagerObject::~ManagerObject() {
    unregisterAdaptor();
}

// The work of each method refers to the Manager, which outlives the bus, never to this object, which a lost
// connection takes away while the work goes on.

void ManagerObject::Up(sdbus::Result<sdbus::ObjectPath>&& result, std::string name, Options options) {
    gate_.admit(dbus::kManagerInterface, "Up", getObject(), std::move(result),
                [&manager = manager_, name, options](TicketPtr<sdbus::ObjectPath> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    if (const auto accepted = refuse_options(options); !accepted)
                        return ticket->fail(accepted.error());
                    manager.up(*profile, [ticket](Result<control::TunnelView> tunnel) {
                        if (!tunnel) return ticket->fail(tunnel.error());
                        ticket->answer(dbus::tunnel_path(tunnel->name));
                    });
                });
}

void ManagerObject::Down(sdbus::Result<>&& result, std::string name, Options options) {
    gate_.admit(dbus::kManagerInterface, "Down", getObject(), std::move(result),
                [&manager = manager_, name, options](TicketPtr<> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    if (const auto accepted = refuse_options(options); !accepted)
                        return ticket->fail(accepted.error());
                    manager.down(*profile, [ticket](Result<void> done) {
                        if (!done) return ticket->fail(done.error());
                        ticket->answer();
                    });
                });
}

void ManagerObject::Reload(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result,
                           std::string name, Options options) {
    using Strings = std::vector<std::string>;
    gate_.admit(dbus::kManagerInterface, "Reload", getObject(), std::move(result),
                [&manager = manager_, name, options](TicketPtr<Strings, Strings> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    if (const auto accepted = refuse_options(options); !accepted)
                        return ticket->fail(accepted.error());
                    manager.reload(*profile, [ticket](Result<control::PlanText> done) {
                        if (!done) return ticket->fail(done.error());
                        ticket->answer(bus_text(done->steps), bus_text(done->warnings));
                    });
                });
}

void ManagerObject::Cancel(sdbus::Result<>&& result, std::string name) {
    gate_.admit(dbus::kManagerInterface, "Cancel", getObject(), std::move(result),
                [&manager = manager_, name](TicketPtr<> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    if (const auto cancelled = manager.cancel(*profile); !cancelled)
                        return ticket->fail(cancelled.error());
                    ticket->answer();
                });
}

void ManagerObject::Save(sdbus::Result<std::vector<std::string>>&& result, std::string name,
                         Options options) {
    gate_.admit(dbus::kManagerInterface, "Save", getObject(), std::move(result),
                [&manager = manager_, name, options](TicketPtr<std::vector<std::string>> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    bool force = false;
                    for (const auto& [option, value] : options) {
                        if (option != "force" || !value.containsValueOfType<bool>())
                            return ticket->fail(Error{ErrorCode::kInvalidArgument,
                                                      "option '" + option + "' is none of: force b", 0});
                        force = value.get<bool>();
                    }
                    const auto changes = manager.save(*profile, force);
                    if (!changes) return ticket->fail(changes.error());
                    ticket->answer(bus_text(*changes));
                });
}

void ManagerObject::Plan(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result,
                         std::string name, std::string verb) {
    using Strings = std::vector<std::string>;
    gate_.admit(dbus::kManagerInterface, "Plan", getObject(), std::move(result),
                [&manager = manager_, name, verb](TicketPtr<Strings, Strings> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    if (verb != "up" && verb != "down" && verb != "reload")
                        return ticket->fail(
                            Error{ErrorCode::kInvalidArgument,
                                  "no such verb '" + verb + "': \"up\", \"down\" or \"reload\"", 0});
                    manager.plan(*profile, verb, [ticket](Result<control::PlanText> plan) {
                        if (!plan) return ticket->fail(plan.error());
                        ticket->answer(bus_text(plan->steps), bus_text(plan->warnings));
                    });
                });
}

void ManagerObject::Check(sdbus::Result<std::vector<BusDiagnostic>>&& result, std::string name) {
    gate_.admit(dbus::kManagerInterface, "Check", getObject(), std::move(result),
                [&manager = manager_, name](TicketPtr<std::vector<BusDiagnostic>> ticket) {
                    const auto profile = ProfileName::parse(name);
                    if (!profile) return ticket->fail(profile.error());
                    const auto found = manager.check(*profile);
                    if (!found) return ticket->fail(found.error());
                    std::vector<BusDiagnostic> diagnostics;
                    for (const auto& d : *found)
                        diagnostics.emplace_back(d.severity == Severity::kError ? "error" : "warning",
                                                 d.position.line, d.position.column, bus_text(d.message),
                                                 bus_text(d.suggestion));
                    ticket->answer(diagnostics);
                });
}

void ManagerObject::ListProfiles(sdbus::Result<std::vector<Options>>&& result) {
    gate_.admit(dbus::kManagerInterface, "ListProfiles", getObject(), std::move(result),
                [&manager = manager_](TicketPtr<std::vector<Options>> ticket) {
                    const auto found = manager.list_profiles();
                    if (!found) return ticket->fail(found.error());
                    std::set<ProfileName> live;
                    for (const auto& tunnel : manager.tunnels())
                        live.insert(tunnel.name);
                    std::vector<Options> profiles;
                    for (const auto& profile : *found) {
                        Options row{{"Name", profile.name.str()},
                                    {"Path", bus_text(profile.path)},
                                    {"State", std::string(control::to_string(profile.state))},
                                    {"Problem", bus_text(profile.problem)}};
                        if (live.count(profile.name) != 0)
                            row.emplace("Tunnel", sdbus::ObjectPath(dbus::tunnel_path(profile.name)));
                        profiles.push_back(std::move(row));
                    }
                    ticket->answer(profiles);
                });
}

std::string ManagerObject::Version() {
    return WGD_VERSION;
}

std::vector<sdbus::Struct<std::string, std::string>> ManagerObject::Backends() {
    return guarded("Backends", [&] {
        std::vector<sdbus::Struct<std::string, std::string>> backends;
        for (const auto& [name, detail] : manager_.backends())
            backends.emplace_back(bus_text(name), bus_text(detail));
        return backends;
    });
}

std::string ManagerObject::Lockdown() {
    return guarded("Lockdown", [&] { return std::string(plan::to_string(manager_.lockdown())); });
}

void ManagerObject::lockdown_changed() {
    emitPropertiesChangedSignal(dbus::kManagerInterface, {"Lockdown"});
}

} // namespace wgd::bus
