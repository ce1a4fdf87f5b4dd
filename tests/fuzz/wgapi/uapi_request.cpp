// SPDX-License-Identifier: MIT
// A request from whoever may open the socket: what is accepted means the same when we write it ourselves.
#include <cstdint>
#include <cstdlib>

#include "common/wgapi/uapi_codec.hpp"

using namespace wgd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto request = uapi::parse_request(text);
    if (!request) return request.error().sys_errno == 0 ? std::abort(), 1 : 0;
    if (const auto* set = std::get_if<uapi::SetRequest>(&*request)) {
        const auto written = uapi::encode_set_request(set->delta);
        const auto again = uapi::parse_request(written);
        if (!again || uapi::encode_set_request(std::get<uapi::SetRequest>(*again).delta) != written)
            std::abort();
    }
    return 0;
}
