// SPDX-License-Identifier: MIT
// Path: where a peer's datagrams go and which of our addresses they leave from; Now: the time, handed in.
#pragma once

#include <cstdint>
#include <type_traits>

#include "common/base/ip.hpp"
#include "common/base/time.hpp"

namespace wgd::wg {

// Read once per batch by the caller; nothing in this room reads a clock.
struct Now {
    Instant mono;  // CLOCK_BOOTTIME: sessions age over a suspend
    WallTime wall; // for TAI64N stamps and "latest handshake"
};

// A plain value: readers get a copy. `local` and `local_ifindex` make replies leave from the address the peer
// spoke to (IP_PKTINFO); an unspecified `local` leaves the choice to the kernel.
struct Path {
    Endpoint remote;
    IpAddress local;
    std::uint32_t local_ifindex = 0;

    bool operator==(const Path&) const = default;
};
static_assert(std::is_trivially_copyable_v<Path>);

} // namespace wgd::wg
