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
    bool tun_tso4 = true; // TCP super-packets from and to the TUN, over IPv4
    bool tun_tso6 = true; // and over IPv6
    bool tun_uso = true; // UDP super-packets from and to the TUN (Linux 6.2, which has both families or none)
    bool udp_gso = true; // UDP_SEGMENT (Linux 4.18)
    bool udp_gro = true; // UDP_GRO (Linux 5.0)

    // "tso4,tso6,uso,gso,gro" in any order and number, "tso" for both of the first, or "all"; "" is none off.
    // kInvalidArgument names the unknown word.
    static Result<Offloads> all_but(std::string_view off);
    [[nodiscard]] std::string to_string() const; // "tso4 tso6 uso gso gro" or "none", for the log
};

} // namespace wgd::io
