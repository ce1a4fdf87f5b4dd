// SPDX-License-Identifier: MIT
// DnsResolved: systemd-resolved, which keeps servers and domains per link (org.freedesktop.resolve1(5)). What
// it holds is read back after every set, and again whenever it says that something has changed; when it is
// restarted, it has forgotten everything. A link that is deleted takes its settings along.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/sys/dns_keeper.hpp"
#include "daemon/sys/system_bus.hpp"

namespace wgd::sys {

class DnsResolved final : public DnsKeeper {
  public:
    // `changed`: what it holds may not be as it was set any more. `bus` outlives this.
    DnsResolved(SystemBus& bus, Duration time_limit, std::function<void()> changed);
    ~DnsResolved() override;

    [[nodiscard]] bool running() const;

    void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) override;
    void clear(const std::string& link, ports::Done done) override;
    [[nodiscard]] bool intact(const std::string& link, const plan::DnsSettings& settings) override;

  private:
    struct Sequence;
    struct Known {
        unsigned ifindex = 0;
        plan::DnsSettings settings;
    };

    void restarted(bool running);
    void look_again();
    void read_back(const std::string& link, unsigned ifindex, ports::Done done);
    Result<BusMessage> manager(const char* method, unsigned ifindex);

    SystemBus& bus_;
    Duration time_limit_;
    std::function<void()> changed_;
    std::map<std::string, Known> known_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

} // namespace wgd::sys
