// SPDX-License-Identifier: MIT
#include "daemon/control/autoconnect.hpp"

#include <algorithm>

#include "common/base/log.hpp"

namespace wgd::control {

void Autoconnect::start(const Settings& settings) {
    for (const auto& [name, tunnel] : settings.tunnels) {
        const auto profile = ProfileName::parse(name);
        if (!tunnel.autoconnect || !profile) continue; // the settings' reader has checked the name
        attempts_.push_back({*profile, tunnel.endpoint_retry, tunnel.endpoint_retry_max, nullptr});
    }
    // An attempt that ends at once is taken off the list.
    for (auto at = attempts_.begin(); at != attempts_.end();)
        attempt(at++);
}

void Autoconnect::attempt(Attempts::iterator at) {
    if (journal_.is_taken_down(at->name)) {
        log::info("{}: it was taken down by hand, and stays down", at->name.str());
        attempts_.erase(at);
        return;
    }
    const std::weak_ptr<bool> alive = alive_;
    manager_.up(at->name, [this, alive, at](Result<TunnelView> answer) {
        if (alive.expired()) return;
        if (answer) {
            attempts_.erase(at);
            return;
        }
        const Duration delay = at->delay;
        at->delay = std::min(2 * delay, at->delay_max);
        log::warning("{}: autoconnect failed, next try in {} s: {}", at->name.str(),
                     std::chrono::duration_cast<std::chrono::seconds>(delay).count(), answer.error().message);
        at->timer = timers_.after(delay, [this, at] { attempt(at); });
    });
}

} // namespace wgd::control
