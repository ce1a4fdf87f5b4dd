// SPDX-License-Identifier: MIT
// DnsControl: the system's name resolution as wgd sees and changes it. Who is asked is decided by plan; this
// puts it to them (DnsKeeper), remembers what was handed to whom (DnsLedger), and hears when somebody else
// changes something. Loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/loop/event_loop.hpp"
#include "daemon/plan/op.hpp"
#include "daemon/plan/snapshot.hpp"
#include "daemon/ports/ports.hpp"
#include "daemon/sys/dns_keeper.hpp"
#include "daemon/sys/dns_ledger.hpp"
#include "daemon/sys/file_watch.hpp"
#include "daemon/sys/system_bus.hpp"

namespace wgd::sys {

class DnsControl {
  public:
    struct Options {
        std::string directory; // of the ledger, exists
        std::string resolv_conf = "/etc/resolv.conf";
        bool bus = true;                                      // look for systemd-resolved and NetworkManager
        Duration time_limit = std::chrono::seconds(5);        // for one answer on the bus
        Duration resolvconf_limit = std::chrono::seconds(20); // it waits for its own lock up to 10 s
    };
    static Result<std::unique_ptr<DnsControl>> create(loop::EventLoop& loop, Options options);
    ~DnsControl();

    // As plan/op.hpp says. What cannot be done is remembered until something changes.
    void set(const plan::SetDns& op, ports::Done done);
    void clear(const plan::ClearDns& op, ports::Done done);
    [[nodiscard]] plan::DnsView view(const std::string& link);

    // Somebody else changed the file, or a resolver was started, restarted or told something.
    void on_change(std::function<void()> call) { changed_ = std::move(call); }

  private:
    DnsControl(loop::EventLoop& loop, Options options, DnsLedger ledger);
    [[nodiscard]] DnsKeeper& keeper(plan::DnsBackend backend);
    [[nodiscard]] plan::DnsFacts facts() const;
    void settled(); // after a change of ours: what the file looks like now is no news
    void file_changed();
    void changed();

    Options options_;
    DnsLedger ledger_;
    std::unique_ptr<SystemBus> bus_;
    std::map<plan::DnsBackend, std::unique_ptr<DnsKeeper>> keepers_;
    std::unique_ptr<FileWatch> watch_;
    std::map<std::string, std::string> problems_; // by link
    std::string seen_;                            // resolv.conf after our last change
    int running_ = 0;                             // changes of ours
    std::function<void()> changed_;
};

} // namespace wgd::sys
