// SPDX-License-Identifier: MIT
// Autoconnect: brings up the tunnels that wgd.toml marks with `autoconnect = true` when the daemon starts.
// One that fails is tried again, less and less often, until it has been up once; from then on it is its
// user's: taken down by hand, it stays down until somebody brings it up or the machine is booted, however
// often the daemon is started meanwhile. Failures are logged and stop nothing.
// Loop's thread.
#pragma once

#include <list>
#include <memory>

#include "daemon/control/manager.hpp"
#include "daemon/control/settings.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::control {

class Autoconnect {
  public:
    // All outlive this.
    Autoconnect(Manager& manager, const ports::Journal& journal, ports::Timers& timers)
        : manager_(manager)
        , journal_(journal)
        , timers_(timers) {}

    // To be called when recovery is done: a tunnel that is up is not touched.
    void start(const Settings& settings);

  private:
    struct Attempt {
        ProfileName name;
        Duration delay;     // before the next try
        Duration delay_max; // twice as long each time, up to this
        std::unique_ptr<ports::Timers::Timer> timer;
    };
    using Attempts = std::list<Attempt>;

    void attempt(Attempts::iterator attempt);

    Manager& manager_;
    const ports::Journal& journal_;
    ports::Timers& timers_;
    Attempts attempts_; // not up yet
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

} // namespace wgd::control
