// SPDX-License-Identifier: MIT
// BusService: the daemon on the system bus. Publishes a control::Manager as org.wgd1 and keeps doing so: when
// the bus goes away the tunnels stay, and the service comes back by itself. Loop's thread.
#pragma once

#include <functional>
#include <memory>

#include "common/base/result.hpp"
#include "daemon/bus/authorization.hpp"
#include "daemon/control/manager.hpp"
#include "daemon/loop/event_loop.hpp"

namespace wgd::bus {

class BusService {
  public:
    // Connects to the system bus ($DBUS_SYSTEM_BUS_ADDRESS, or the usual socket) and publishes the objects,
    // still without a name. Becomes the manager's observer until destroyed. kIo when the bus cannot be
    // reached. `loop` and `manager` must outlive the service.
    static Result<std::unique_ptr<BusService>> create(loop::EventLoop& loop, control::Manager& manager);
    virtual ~BusService() = default;

    // Takes the name org.wgd1: from here on clients find the daemon, so call it when recovery is done. kBusy
    // when another process has it, kNotAuthorized when the bus policy forbids it. Repeated by itself after a
    // reconnection.
    virtual Result<void> request_name() = 0;
};

} // namespace wgd::bus
