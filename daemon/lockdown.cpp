// SPDX-License-Identifier: MIT
#include "daemon/lockdown.hpp"

#include "common/base/log.hpp"
#include "daemon/control/kill_switch.hpp"
#include "daemon/sys/nftables.hpp"

namespace wgd {

int close_at_boot(const Result<control::Settings>& settings) {
    if (settings && settings->lockdown == plan::LockMode::kOff) {
        log::info("lockdown is off in the settings: nothing is closed");
        return 0;
    }
    sys::Nftables nftables;
    const auto tables = nftables.tables();
    if (tables && tables->count(std::string(plan::kLockTable)) != 0) {
        log::info("the firewall is closed already");
        return 0;
    }
    plan::LockTable table;
    table.allow_lan = settings && settings->lockdown == plan::LockMode::kLan;
    if (auto closed = nftables.run(render(table).transaction); !closed) {
        log::error("lockdown: the firewall cannot be closed: {}", closed.error().message);
        return 1;
    }
    if (settings) {
        log::notice("lockdown: nothing leaves until a tunnel is up");
        return 0;
    }
    log::error("{}", settings.error().message);
    log::error("lockdown: whether it is wanted cannot be known, so the firewall is closed");
    return 1;
}

} // namespace wgd
