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

// In constant time, as libsodium's, which allows for characters to skip and takes ten times as long: a device
// of 10,000 peers is a megabyte of digits.
bool decode_hex(std::string_view text, ByteSpan out) {
    if (text.size() != out.size() * 2) {
        sodium_memzero(out.data(), out.size());
        return false;
    }
    // All ones where `digit` lies in [first, last], zero elsewhere.
    const auto within = [](unsigned digit, unsigned first, unsigned last) {
        return 0U - (((first - 1 - digit) & (digit - last - 1)) >> 31);
    };
    unsigned valid = ~0U;
    const auto value = [&](char character) {
        const unsigned digit = static_cast<unsigned char>(character);
        const unsigned letter = digit | 0x20; // lower case
        const unsigned decimal = within(digit, '0', '9'), hexadecimal = within(letter, 'a', 'f');
        valid &= decimal | hexadecimal;
        return (decimal & (digit - '0')) | (hexadecimal & (letter - 'a' + 10));
    };
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = static_cast<std::uint8_t>(value(text[2 * i]) << 4 | value(text[2 * i + 1]));
    if (valid == 0) sodium_memzero(out.data(), out.size());
    return valid != 0;
}

} // namespace wgd
