// SPDX-License-Identifier: MIT
// DnsLookup: one host name asked of name servers over sockets of our own (c-ares), on the event loop. Unlike
// getaddrinfo(3) it can be cancelled, tells how long the answer may be relied upon, and lets its datagrams
// bear a firewall mark: with a tunnel's own mark they take the path of the tunnel's own datagrams, outside of
// it. Knows /etc/hosts and DNS, and of the other sources of nsswitch.conf(5) nothing. Loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ip.hpp"
#include "common/base/result.hpp"
#include "daemon/loop/event_loop.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

struct DnsQuestion {
    std::string host;
    std::uint16_t port = 0;        // of the endpoints answered; nothing to do with DNS
    std::vector<Endpoint> servers; // asked in this order; empty: those of resolv.conf(5)
    std::uint32_t mark = 0;        // SO_MARK of every socket; 0: none
    std::string resolv_conf;       // search domains and options; empty: /etc/resolv.conf
};

class DnsLookup {
  public:
    // Each server is asked kTries times, at first for kTimeout, then for twice as long.
    static constexpr Duration kTimeout = std::chrono::milliseconds(1500);
    static constexpr int kTries = 2;

    using Answer = ports::Resolver::Answer;

    virtual ~DnsLookup() = default; // cancels; safe from within its own `done`
    // `done` comes once, perhaps before this returns (a name of /etc/hosts); then the handle is of no use any
    // more. kResolve with the reason.
    static std::unique_ptr<DnsLookup> start(loop::EventLoop& loop, DnsQuestion question, Answer done);
};

} // namespace wgd::sys
