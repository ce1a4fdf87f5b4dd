// SPDX-License-Identifier: MIT
// A GET_DEVICE dump. The input is cut into messages: two bytes of length in front of each.
#include <algorithm>
#include <cstdint>

#include "common/wgapi/netlink_codec.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    wgnl::DeviceDump dump;
    for (ByteView rest(data, size); rest.size() > 2;) {
        const auto length = std::min<std::size_t>(load_le<std::uint16_t>(rest.data()), rest.size() - 2);
        if (!dump.add(rest.subspan(2, length))) return 0;
        rest = rest.subspan(2 + length);
    }
    (void)std::move(dump).finish();
    return 0;
}
