// SPDX-License-Identifier: MIT
#include "daemon/sys/dns_ledger.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/log.hpp"
#include "daemon/plan/op_json.hpp"
#include "daemon/sys/beneath.hpp"

namespace wgd::sys {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

std::optional<std::string> read_file(int directory, const std::string& name, const std::string& path) {
    Fd fd = open_beneath(directory, name, O_RDONLY | O_NONBLOCK);
    if (!fd) return std::nullopt;
    auto text = read_to_end<std::string>(fd.get(), kMaxFile, path);
    if (text) return std::move(*text);
    log::error("{}", text.error().message);
    return std::nullopt;
}

} // namespace

Result<DnsLedger> DnsLedger::open(const std::string& directory) {
    auto fd = open_directory(directory);
    if (!fd) return fail(std::move(fd).error());
    DnsLedger ledger(directory, std::move(*fd));
    if (const auto text = read_file(ledger.directory_.get(), "applied", directory + "/applied")) {
        auto ops = plan::ops_from_json(*text);
        if (!ops) {
            log::error("{}/applied: {}", directory, ops.error().message);
        } else {
            for (plan::Op& op : *ops)
                if (auto* entry = std::get_if<plan::SetDns>(&op))
                    ledger.entries_.push_back(std::move(*entry));
        }
    }
    if (const auto text = read_file(ledger.directory_.get(), "original", directory + "/original")) {
        ledger.original_ = plan::original_within(*text);
        if (!ledger.original_) log::error("{}/original cannot be read", directory);
    }
    return ledger;
}

Result<void> DnsLedger::enter(const plan::SetDns& entry) {
    std::vector<plan::SetDns> entries = entries_;
    const auto same = std::find_if(entries.begin(), entries.end(), [&](const plan::SetDns& other) {
        return other.link == entry.link && other.backend == entry.backend;
    });
    if (same == entries.end())
        entries.insert(entries.begin(), entry);
    else if (same->settings == entry.settings)
        return {};
    else
        same->settings = entry.settings;
    return save(std::move(entries));
}

Result<void> DnsLedger::remove(const std::string& link, plan::DnsBackend backend) {
    std::vector<plan::SetDns> entries = entries_;
    const auto gone = std::remove_if(entries.begin(), entries.end(), [&](const plan::SetDns& entry) {
        return entry.link == link && entry.backend == backend;
    });
    if (gone == entries.end()) return {};
    entries.erase(gone, entries.end());
    return save(std::move(entries));
}

plan::DnsRequests DnsLedger::requests(plan::DnsBackend backend) const {
    plan::DnsRequests requests;
    for (const plan::SetDns& entry : entries_)
        if (entry.backend == backend) requests.emplace_back(entry.link, entry.settings);
    return requests;
}

Result<void> DnsLedger::keep_original(const plan::OriginalResolvConf& original) {
    if (original_ && *original_ == original) return {};
    WGD_TRY(replace("original", plan::resolv_conf_text({}, original)));
    original_ = original;
    return {};
}

Result<void> DnsLedger::forget_original() {
    original_.reset();
    return unlink("original");
}

Result<void> DnsLedger::save(std::vector<plan::SetDns> entries) {
    if (entries.empty()) {
        WGD_TRY(unlink("applied"));
    } else {
        WGD_TRY(replace("applied", plan::ops_to_json({entries.begin(), entries.end()})));
    }
    entries_ = std::move(entries);
    return {};
}

Result<void> DnsLedger::replace(const std::string& name, const std::string& text) {
    const std::string temporary = name + ".new";
    Fd fd = open_beneath(directory_.get(), temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!fd) return fail_errno(ErrorCode::kIo, errno, "cannot open " + path_ + "/" + temporary);
    WGD_TRY(write_all(fd.get(), text, path_ + "/" + temporary));
    if (::renameat(directory_.get(), temporary.c_str(), directory_.get(), name.c_str()) != 0)
        return fail_errno(ErrorCode::kIo, errno, "cannot write " + path_ + "/" + name);
    return {};
}

Result<void> DnsLedger::unlink(const std::string& name) {
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT)
        return fail_errno(ErrorCode::kIo, errno, "cannot remove " + path_ + "/" + name);
    return {};
}

} // namespace wgd::sys
