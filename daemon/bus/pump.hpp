// SPDX-License-Identifier: MIT
// Pump: moves a bus connection's messages on the daemon's event loop.
//
// sdbus-c++ 1.2 cannot attach itself to an sd-event loop, and what its connection waits for (write readiness,
// a timeout) changes with every message: it is asked again before every wait, in the event source's prepare
// callback. At most kMessagesPerTurn are handled per turn of the loop, so that a flood of calls cannot keep
// netlink, signals and timers waiting; what is left is seen as an expired timeout at the next turn.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/result.hpp"

struct sd_event;
namespace sdbus {
class IConnection;
}

namespace wgd::bus {

inline constexpr int kMessagesPerTurn = 64;

class Pump {
  public:
    // `lost` is called once, from within the loop, when the connection broke; the Pump is then idle. It must
    // not destroy the Pump itself but may post() that. The connection must outlive the Pump.
    static Result<std::unique_ptr<Pump>> create(sd_event* loop, sdbus::IConnection& connection,
                                                std::function<void(const std::string& reason)> lost);
    virtual ~Pump() = default;
};

} // namespace wgd::bus
