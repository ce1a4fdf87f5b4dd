// SPDX-License-Identifier: MIT
// DnsResolved: systemd-resolved, which keeps servers and domains per link (org.freedesktop.resolve1(5)). What
// it holds is read back after every set, and again whenever it says that something has changed; when it is
// restarted, it has forgotten everything. A link that is deleted takes its settings along.
//
// It knows no order among links: of two that want all look-ups it asks both. So the newest tunnel alone is
// given
// "~."; the others keep what is theirs by name, their domains, and get all look-ups back when it goes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/sys/bus_partner.hpp"
#include "daemon/sys/dns_keeper.hpp"
#include "daemon/sys/dns_ledger.hpp"

namespace wgd::sys {

class DnsResolved final : public DnsKeeper {
  public:
    // `ledger` tells which tunnel is the newest. `changed`: what it holds may not be as it was set any more.
    // `ledger` and `bus` outlive this.
    DnsResolved(const DnsLedger& ledger, SystemBus& bus, Duration time_limit, std::function<void()> changed);
    ~DnsResolved() override;

    void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) override;
    void clear(const std::string& link, ports::Done done) override;
    [[nodiscard]] bool intact(const std::string& link, const plan::DnsSettings& settings) override;

  private:
    struct Known {
        unsigned ifindex = 0;
        plan::DnsSettings settings;
    };

    // What a link is given, of what its tunnel wants. `leaving`: a link that is on its way out.
    [[nodiscard]] plan::DnsSettings share_of(const std::string& link, const plan::DnsSettings& wanted,
                                             const std::string& leaving = {}) const;
    void give(const std::string& link, const plan::DnsSettings& share, ports::Done done);
    // Gives the links other than `but` what is theirs now, one after the other.
    void give_others(const std::string& but, const std::string& leaving, ports::Done done);
    void give_each(plan::DnsRequests due, ports::Done done);
    void look_again();
    void read_back(const std::string& link, unsigned ifindex, ports::Done done);
    void call_each(const std::shared_ptr<std::deque<Result<BusMessage>>>& calls, ports::Done done);
    Result<BusMessage> manager(const char* method, unsigned ifindex);

    const DnsLedger& ledger_;
    BusPartner resolved_;
    std::function<void()> changed_;
    std::map<std::string, Known> known_;
};

} // namespace wgd::sys
