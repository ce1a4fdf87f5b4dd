// SPDX-License-Identifier: MIT
#include "daemon/sys/sysctl_watch.hpp"

#include "common/base/log.hpp"
#include "daemon/sys/sysctl.hpp"

namespace wgd::sys {

void SysctlWatch::begin() {
    if (timer_ || !wanted_()) return;
    seen_.clear();
    look();
}

void SysctlWatch::look() {
    timer_.reset();
    if (!wanted_()) return;
    bool news = false;
    for (const std::string& key : keys_) {
        auto value = read_sysctl(key);
        if (!value) continue; // not there, or gone with its part of the kernel: nothing to compare
        const auto [seen, first] = seen_.emplace(key, *value);
        if (first || seen->second == *value) continue;
        seen->second = std::move(*value);
        news = true;
    }
    wait();
    if (news) changed_();
}

void SysctlWatch::wait() {
    auto timer = loop_.add_timer(kPeriod, [this] { look(); });
    if (timer)
        timer_ = std::move(*timer);
    else
        log::error("sysctls are not watched: {}", timer.error().message);
}

} // namespace wgd::sys
