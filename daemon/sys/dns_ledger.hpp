// SPDX-License-Identifier: MIT
// DnsLedger: which tunnel's DNS was handed to whom, and what stood at /etc/resolv.conf before. Files in the
// runtime directory (dns/applied, dns/original), written before the act, so that after a crash it is known
// what there is to clear. No entry, no file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/fd.hpp"
#include "common/base/result.hpp"
#include "daemon/plan/dns_text.hpp"
#include "daemon/plan/op.hpp"

namespace wgd::sys {

class DnsLedger {
  public:
    // `directory` exists and is wgd's alone (sys/journal). What is in it and cannot be read is logged and
    // taken as nothing.
    static Result<DnsLedger> open(const std::string& directory);

    // Adds it as the newest, or changes the settings of an entry in its place.
    Result<void> enter(const plan::SetDns& entry);
    Result<void> remove(const std::string& link, plan::DnsBackend backend);
    [[nodiscard]] const std::vector<plan::SetDns>& entries() const { return entries_; } // newest first
    [[nodiscard]] plan::DnsRequests requests(plan::DnsBackend backend) const;

    Result<void> keep_original(const plan::OriginalResolvConf& original);
    Result<void> forget_original();
    [[nodiscard]] const std::optional<plan::OriginalResolvConf>& original() const { return original_; }

  private:
    DnsLedger(std::string path, Fd directory)
        : path_(std::move(path))
        , directory_(std::move(directory)) {}
    Result<void> save(std::vector<plan::SetDns> entries);
    Result<void> replace(const std::string& name, const std::string& text);
    Result<void> unlink(const std::string& name);

    std::string path_;
    Fd directory_;
    std::vector<plan::SetDns> entries_;
    std::optional<plan::OriginalResolvConf> original_;
};

} // namespace wgd::sys
