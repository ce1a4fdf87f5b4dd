// SPDX-License-Identifier: MIT
#include "datapath/io/offloads.hpp"

namespace wgd::io {

Result<Offloads> Offloads::all_but(std::string_view off) {
    Offloads offloads;
    while (!off.empty()) {
        const std::size_t comma = off.find(',');
        const std::string_view word = off.substr(0, comma);
        off = comma == std::string_view::npos ? std::string_view{} : off.substr(comma + 1);
        if (word == "tso")
            offloads.tun_tso4 = offloads.tun_tso6 = false;
        else if (word == "tso4")
            offloads.tun_tso4 = false;
        else if (word == "tso6")
            offloads.tun_tso6 = false;
        else if (word == "uso")
            offloads.tun_uso = false;
        else if (word == "gso")
            offloads.udp_gso = false;
        else if (word == "gro")
            offloads.udp_gro = false;
        else if (word == "all")
            offloads = {false, false, false, false, false};
        else
            return fail(ErrorCode::kInvalidArgument,
                        "unknown offload '" + std::string(word) + "' (tso, tso4, tso6, uso, gso, gro, all)");
    }
    return offloads;
}

std::string Offloads::to_string() const {
    std::string text;
    const auto add = [&](bool on, std::string_view name) {
        if (on) text.append(text.empty() ? "" : " ").append(name);
    };
    add(tun_tso4, "tso4");
    add(tun_tso6, "tso6");
    add(tun_uso, "uso");
    add(udp_gso, "gso");
    add(udp_gro, "gro");
    return text.empty() ? "none" : text;
}

} // namespace wgd::io
