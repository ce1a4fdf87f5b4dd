// SPDX-License-Identifier: MIT
// DnsNetworkManager: NetworkManager where it writes resolv.conf. It knows a link that somebody else made as
// "connected (externally)", and takes DNS settings for it by Device.Reapply (since 1.42, which can be told to
// leave addresses and routes alone). What it uses of them is read from its DnsManager; a link that is deleted
// takes its settings along.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/loop/event_loop.hpp"
#include "daemon/sys/bus_partner.hpp"
#include "daemon/sys/dns_keeper.hpp"

namespace wgd::sys {

class DnsNetworkManager final : public DnsKeeper {
  public:
    // `changed`: what it uses may not be what was set any more. `bus` and `loop` outlive this.
    DnsNetworkManager(loop::EventLoop& loop, SystemBus& bus, Duration time_limit,
                      std::function<void()> changed);
    ~DnsNetworkManager() override;

    void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) override;
    void clear(const std::string& link, ports::Done done) override;
    [[nodiscard]] bool intact(const std::string& link, const plan::DnsSettings& settings) override;

  private:
    struct Waiting;

    void try_reapply(const std::string& link, const plan::DnsSettings& settings, int tries, ports::Done done);
    void reapply(const std::string& link, const plan::DnsSettings& settings, ports::Done done);
    void reapply_to(const std::string& device, const std::string& link, const plan::DnsSettings& settings,
                    ports::Done done);
    void await_use(const std::string& link, const plan::DnsSettings& settings, ports::Done done);
    void configuration_changed();
    void read_configuration(std::function<void()> then);

    loop::EventLoop& loop_;
    BusPartner manager_;
    Duration time_limit_;
    std::function<void()> changed_;
    std::map<std::string, std::vector<std::string>> in_use_; // servers, by interface
    std::map<Waiting*, std::unique_ptr<Waiting>> waiting_;
    std::map<std::string, loop::SourcePtr> retries_; // by link
};

} // namespace wgd::sys
