// SPDX-License-Identifier: MIT
// DataPathState: what the Engine and the data threads share, in one place.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>

#include "common/model/limits.hpp"
#include "datapath/wg/allowed_ips.hpp"
#include "datapath/wg/attention.hpp"
#include "datapath/wg/datapath.hpp"
#include "datapath/wg/index_table.hpp"
#include "datapath/wg/peer.hpp"
#include "datapath/wg/reclaimer.hpp"
#include "datapath/wg/staging.hpp"

namespace wgd::wg {

struct DataPathState {
    Reclaimer reclaimer;
    AllowedIps allowed_ips{reclaimer};
    IndexTable indices{reclaimer};
    AttentionList attention;
    Staging staging;

    std::atomic<bool> up{false};
    std::atomic<std::uint32_t> mtu{kDefaultMtu};
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Drop::kCount)> drops{};
    std::atomic<Stamp> unreachable_clock{kNoStamp}; // of the rate limit on unreachables

    // When the control thread will run by itself. A data thread that needs it sooner calls wake, once until
    // it has run.
    std::atomic<Stamp> control_deadline{kNeverStamp};
    std::atomic<bool> woken{false};
    std::function<void()> wake;

    void count(Drop reason, std::uint64_t packets = 1) {
        drops[static_cast<std::size_t>(reason)].fetch_add(packets, std::memory_order_relaxed);
    }

    // Puts the peer before the control thread, by `deadline` at the latest (kNoStamp: at once).
    void ask(Peer& peer, std::uint32_t why, Stamp deadline = kNoStamp) {
        attention.push(peer, why);
        if (control_deadline.load() > deadline && !woken.exchange(true) && wake) wake();
    }

    // Traffic facts, and the timers that follow from them. Called once per batch and peer.
    void note_sent(Peer& peer, bool data, Instant now);
    void note_received(Peer& peer, bool data, Instant now);
};

} // namespace wgd::wg
