// SPDX-License-Identifier: MIT
// Base64 and hex of fixed-size keys. Time depends on the length only, not on the contents.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"

namespace wgd {

// RFC 4648 section 4 with padding; 44 characters for 32 bytes.
std::string encode_base64(ByteView bytes);
// Accepts exactly the canonical encoding of out.size() bytes: padding present, unused trailing bits zero, no
// white space. Returns false (and zeroes `out`) for everything else.
[[nodiscard]] bool decode_base64(std::string_view text, ByteSpan out);

// Lower-case hex, as the cross-platform UAPI writes keys. Decoding accepts either case.
std::string encode_hex(ByteView bytes);
[[nodiscard]] bool decode_hex(std::string_view text, ByteSpan out);

} // namespace wgd
