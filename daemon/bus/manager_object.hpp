// SPDX-License-Identifier: MIT
// The object at /org/wgd1: translates method calls into calls of control::Manager and its answers back. No
// logic.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/bus/gate.hpp"
#include "daemon/control/manager.hpp"
#include "dbus/generated/manager_adaptor.hpp"

namespace wgd::bus {

class ManagerObject final
    : public sdbus::AdaptorInterfaces<org::wgd1::Manager_adaptor, sdbus::ObjectManager_adaptor,
                                      sdbus::Properties_adaptor> {
  public:
    // Throws sdbus::Error. Everything given must outlive the object.
    ManagerObject(sdbus::IConnection& connection, control::Manager& manager, Gate& gate);
    ~ManagerObject();

    void lockdown_changed();

  private:
    using Options = std::map<std::string, sdbus::Variant>;
    using BusDiagnostic = sdbus::Struct<std::string, std::uint32_t, std::uint32_t, std::string, std::string>;

    void Up(sdbus::Result<sdbus::ObjectPath>&& result, std::string name, Options options) override;
    void Down(sdbus::Result<>&& result, std::string name, Options options) override;
    void Reload(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result, std::string name,
                Options options) override;
    void Cancel(sdbus::Result<>&& result, std::string name) override;
    void Save(sdbus::Result<std::vector<std::string>>&& result, std::string name, Options options) override;
    void Plan(sdbus::Result<std::vector<std::string>, std::vector<std::string>>&& result, std::string name,
              std::string verb) override;
    void Check(sdbus::Result<std::vector<BusDiagnostic>>&& result, std::string name) override;
    void ListProfiles(sdbus::Result<std::vector<Options>>&& result) override;
    std::string Version() override;
    std::vector<sdbus::Struct<std::string, std::string>> Backends() override;
    std::string Lockdown() override;

    control::Manager& manager_;
    Gate& gate_;
};

} // namespace wgd::bus
