// SPDX-License-Identifier: MIT
// SysctlWatch: whether somebody changed a value that the kernel announces to nobody. It announces forwarding
// (RTM_NEWNETCONF), not src_valid_mark nor arp_ignore: those are read twice a second, while a tunnel is there
// that may need them. Loop's thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/loop/event_loop.hpp"

namespace wgd::sys {

class SysctlWatch {
  public:
    static constexpr Duration kPeriod = std::chrono::milliseconds(500);

    // `wanted`: whether to go on looking. `changed` is called when a value is another than at the last look.
    SysctlWatch(loop::EventLoop& loop, std::vector<std::string> keys, std::function<bool()> wanted,
                std::function<void()> changed)
        : loop_(loop)
        , keys_(std::move(keys))
        , wanted_(std::move(wanted))
        , changed_(std::move(changed)) {}

    // Begins to look, if it is wanted and not begun already.
    void begin();

  private:
    void look();
    void wait();

    loop::EventLoop& loop_;
    std::vector<std::string> keys_;
    std::function<bool()> wanted_;
    std::function<void()> changed_;
    std::map<std::string, std::string> seen_;
    loop::SourcePtr timer_;
};

} // namespace wgd::sys
