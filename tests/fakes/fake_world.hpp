// SPDX-License-Identifier: MIT
// FakeWorld: everything a daemon sees of a machine. Outlives the daemon: a crash is a new Manager on the same
// world.
#pragma once

#include "tests/fakes/fake_disk.hpp"
#include "tests/fakes/fake_kernel.hpp"
#include "tests/fakes/fake_paths.hpp"
#include "tests/fakes/fake_resolver.hpp"
#include "tests/fakes/fake_time.hpp"

namespace wgd::fakes {

struct FakeProbe final : ports::BackendProbe {
    ports::BackendReport report{true, "in-tree", true, "/usr/sbin/wgd-datapath"};
    ports::BackendReport probe() override { return report; }
};

struct FakeWorld {
    Faults faults;
    Turns turns;
    FakeKernel kernel{faults, turns};
    FakeDisk disk{faults};
    FakeResolver resolver{turns};
    FakePaths paths{turns};
    FakeTime time;
    FakeProbe probe;

    // The daemon's process is gone: what it had in memory and in flight is lost.
    void bury_daemon() {
        turns.drop_all();
        kernel.set_observer(nullptr);
        faults.clear();
    }
};

} // namespace wgd::fakes
