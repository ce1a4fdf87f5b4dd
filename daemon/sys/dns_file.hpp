// SPDX-License-Identifier: MIT
// DnsFile: /etc/resolv.conf where nobody else keeps it. One text for all tunnels; what was there before is
// kept in the ledger and comes back with the last of them, byte for byte, a link as a link. What somebody
// else writes there meanwhile is the new "before": it is never lost, and what does not begin with our mark is
// never taken away.
#pragma once

#include "daemon/sys/dns_keeper.hpp"
#include "daemon/sys/dns_ledger.hpp"

namespace wgd::sys {

class DnsFile final : public DnsKeeper {
  public:
    // `ledger` is not owned; its entries for DnsBackend::kFile are what set() writes and clear() leaves out.
    DnsFile(DnsLedger& ledger, std::string path)
        : ledger_(ledger)
        , path_(std::move(path)) {}

    void set(const std::string& link, const plan::DnsSettings& settings, ports::Done done) override;
    void clear(const std::string& link, ports::Done done) override;
    [[nodiscard]] bool intact(const std::string& link, const plan::DnsSettings& settings) override;

    // After a power cut the file may be ours while nothing else knows of it: puts the original back, which
    // the file itself carries.
    Result<void> recover();

  private:
    Result<plan::OriginalResolvConf> current() const;
    Result<void> write(const plan::DnsRequests& requests);
    Result<void> restore();
    [[nodiscard]] plan::OriginalResolvConf with_seen_text(plan::OriginalResolvConf original) const;

    DnsLedger& ledger_;
    std::string path_;
};

} // namespace wgd::sys
