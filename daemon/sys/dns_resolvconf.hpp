// SPDX-License-Identifier: MIT
// DnsResolvconf: the program resolvconf(8), openresolv's or Debian's, called as wg-quick(8) calls it. Whether
// what was handed over is still there is seen in the program's own records under /run/resolvconf.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "daemon/sys/command_runner.hpp"
#include "daemon/sys/dns_keeper.hpp"

namespace wgd::sys {

class DnsResolvconf final : public DnsKeeper {
  public:
    DnsResolvconf(loop::EventLoop& loop, std::string resolv_conf, Duration time_limit)
        : commands_(loop)
        , resolv_conf_(std::move(resolv_conf))
        , time_limit_(time_limit) {}

    void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) override;
    void clear(const std::string& link, ports::Done done) override;
    [[nodiscard]] bool intact(const std::string& link, const plan::DnsSettings& settings) override;

  private:
    void run(const std::string& program, std::vector<std::string> arguments, std::string input,
             ports::Done done);

    CommandRunner commands_;
    std::string resolv_conf_;
    Duration time_limit_;
    std::map<std::uint64_t, std::unique_ptr<CommandRunner::Run>> running_;
    std::uint64_t next_ = 0;
};

} // namespace wgd::sys
