// SPDX-License-Identifier: MIT
// PathProber: how large a packet reaches an address in one piece, asked with echo requests that no router may
// fragment (raw(7), ip(7) IP_PMTUDISC_PROBE; sizes by plan/mtu_search). Answers are echo replies and what
// routers on the way say, from the socket's error queue. Loop's thread.
#pragma once

#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class PathProber final : public ports::PathProber {
  public:
    explicit PathProber(loop::EventLoop& loop)
        : loop_(loop) {}
    std::unique_ptr<Measurement> measure(const IpAddress& destination, std::uint32_t mark,
                                         std::uint32_t ceiling, Found found) override;

  private:
    loop::EventLoop& loop_;
};

} // namespace wgd::sys
