// SPDX-License-Identifier: MIT
// DnsKeeper: one of those who keep the system's name servers, as wgd speaks to it. Implementations: DnsFile,
// DnsResolvconf, DnsResolved, DnsNetworkManager. Loop's thread; what waits for somebody has a time limit.
#pragma once

#include <string>

#include "daemon/plan/dns.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class DnsKeeper {
  public:
    virtual ~DnsKeeper() = default;
    // Replaces what was set for this link before. Setting the same again is harmless.
    virtual void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) = 0;
    // Nothing to clear is success.
    virtual void clear(const std::string& link, ports::Done done) = 0;
    // Is it still as it was set? Answered from what can be seen at once.
    [[nodiscard]] virtual bool intact(const std::string& link, const plan::DnsSettings& settings) = 0;
};

} // namespace wgd::sys
