// SPDX-License-Identifier: MIT
// What transmit and receive threads share with the control thread: flags and events, no locks.
#pragma once

#include <atomic>

#include "datapath/io/event.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::io {

// Set by the control thread, read by data threads.
struct SharedState {
    std::atomic<bool> stop{false};
    std::atomic<unsigned> mtu{0};       // of the TUN
    std::atomic<bool> tun_gone{false};  // these two end the tunnel; set with report()
    std::atomic<bool> no_cipher{false}; // no back end passed its self-test
    const Event* attention = nullptr;   // the control thread's

    void report(std::atomic<bool>& what) const {
        what.store(true, std::memory_order_relaxed);
        attention->ring();
    }
};

[[nodiscard]] inline wg::Now read_clocks() {
    return {system_clock().now(), system_clock().wall()};
}

} // namespace wgd::io
