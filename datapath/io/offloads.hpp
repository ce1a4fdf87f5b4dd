// SPDX-License-Identifier: MIT
// Which kernel offloads to use. All are tried; what a kernel does not have is switched off when that shows,
// at start or in the middle. WGD_OFFLOADS_OFF turns some off by hand, so that the fall-backs can be tested on
// a new kernel.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace wgd::io {

struct Offloads {
    bool tun_tso = true; // TCP super-packets from and to the TUN
    bool tun_uso = true; // UDP super-packets from and to the TUN (Linux 6.2)
    bool udp_gso = true; // UDP_SEGMENT (Linux 4.18)
    bool udp_gro = true; // UDP_GRO (Linux 5.0)

    // "tso,uso,gso,gro" in any order and number, or "all"; "" is none off. kInvalidArgument names the unknown
    // word.
    static Result<Offloads> all_but(std::string_view off);
    [[nodiscard]] std::string to_string() const; // "tso uso gso gro" or "none", for the log
};

} // namespace wgd::io
