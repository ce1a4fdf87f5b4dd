// SPDX-License-Identifier: MIT
#include "tests/sim/eavesdropper.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace wgd::sim {

void Eavesdropper::see(const Endpoint& from, const Endpoint& to, ByteView datagram) {
    const auto who = [&] { return from.to_string() + " -> " + to.to_string(); };
    for (const Bytes& plaintext : forbidden_)
        if (std::search(datagram.begin(), datagram.end(), plaintext.begin(), plaintext.end()) !=
            datagram.end())
            violation(fmt::format("{}: plaintext on the wire", who()));
    if (datagram.size() < 4) {
        violation(fmt::format("{}: {} bytes", who(), datagram.size()));
        return;
    }
    const auto type = load_le<std::uint32_t>(datagram.data());
    if (type < 1 || type > 4) {
        violation(fmt::format("{}: type word {:#x}", who(), type));
        return;
    }
    ++counts_[type];
    constexpr std::array<std::size_t, 5> kSizes{0, 148, 92, 64, 0};
    if (type != 4 && datagram.size() != kSizes[type])
        violation(fmt::format("{}: type {} with {} bytes", who(), type, datagram.size()));
    if (type == 1 || type == 2) {
        const std::size_t at = type == 1 ? 8 : 12;
        Bytes ephemeral(datagram.begin() + static_cast<long>(at),
                        datagram.begin() + static_cast<long>(at) + 32);
        if (!ephemerals_.insert(std::move(ephemeral)).second)
            violation(fmt::format("{}: an ephemeral key used twice", who()));
    }
    if (type == 4) {
        if (datagram.size() < 32) {
            violation(fmt::format("{}: transport of {} bytes", who(), datagram.size()));
            return;
        }
        if (datagram.size() == 32) ++keepalives_;
        // Padded to 16, except what would pass the MTU of the tests (1420).
        if (datagram.size() % 16 != 0 && datagram.size() != 1420 + 32)
            violation(fmt::format("{}: {} bytes are not padded", who(), datagram.size()));
        const auto index = load_le<std::uint32_t>(datagram.data() + 4);
        const auto counter = load_le<std::uint64_t>(datagram.data() + 8);
        if (!nonces_.emplace(to, index, counter).second)
            violation(fmt::format("{}: counter {} of index {:#x} used twice", who(), counter, index));
    }
}

} // namespace wgd::sim
