// SPDX-License-Identifier: MIT
#include "common/base/encoding.hpp"

#include <sodium.h>

namespace wgd {

std::string encode_base64(ByteView bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    text.resize(text.size() - 1); // the length counts a terminating NUL
    return text;
}

bool decode_base64(std::string_view text, ByteSpan out) {
    const std::size_t expected = (out.size() + 2) / 3 * 4;
    std::size_t decoded = 0;
    const char* end = nullptr;
    // libsodium rejects missing padding and non-zero trailing bits in this variant.
    const bool ok = text.size() == expected &&
                    sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &decoded,
                                      &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                    decoded == out.size() && end == text.data() + text.size();
    if (!ok) sodium_memzero(out.data(), out.size());
    return ok;
}

std::string encode_hex(ByteView bytes) {
    std::string text(bytes.size() * 2 + 1, '\0');
    sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
    text.resize(bytes.size() * 2);
    return text;
}

bool decode_hex(std::string_view text, ByteSpan out) {
    std::size_t decoded = 0;
    const char* end = nullptr;
    const bool ok =
        text.size() == out.size() * 2 &&
        sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &decoded, &end) == 0 &&
        decoded == out.size() && end == text.data() + text.size();
    if (!ok) sodium_memzero(out.data(), out.size());
    return ok;
}

} // namespace wgd
