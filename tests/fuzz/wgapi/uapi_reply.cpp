// SPDX-License-Identifier: MIT
// A reply from a datapath: what is accepted means the same when we write it ourselves.
#include <cstdint>
#include <cstdlib>

#include "common/wgapi/uapi_codec.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)uapi::parse_set_reply(text);
    const auto device = uapi::parse_get_reply(text);
    if (!device) return 0;
    const auto written = uapi::encode_get_reply(*device);
    const auto again = uapi::parse_get_reply(written);
    if (!again || uapi::encode_get_reply(*again) != written) std::abort();
    return 0;
}
