// SPDX-License-Identifier: MIT
// Single messages: libsodium, because it takes additional data and has the XChaCha20 variant.
#include <algorithm>
#include <array>
#include <cassert>
#include <sodium.h>
#include <string_view>

#include "datapath/crypto/aead.hpp"

namespace wgd::crypto {

namespace {

std::array<std::uint8_t, 12> nonce_of(std::uint64_t counter) {
    std::array<std::uint8_t, 12> nonce{};
    store_le(nonce.data() + 4, counter);
    return nonce;
}

} // namespace

void aead_seal(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key, std::uint64_t counter,
               ByteView plaintext, ByteView additional) {
    assert(out.size() == plaintext.size() + kAeadTagSize);
    crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, plaintext.data(), plaintext.size(),
                                              additional.data(), additional.size(), nullptr,
                                              nonce_of(counter).data(), key.data());
}

bool aead_open(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key, std::uint64_t counter,
               ByteView ciphertext, ByteView additional) {
    assert(out.size() + kAeadTagSize == ciphertext.size());
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, ciphertext.data(),
                                                  ciphertext.size(), additional.data(), additional.size(),
                                                  nonce_of(counter).data(), key.data()) == 0)
        return true;
    sodium_memzero(out.data(), out.size());
    return false;
}

void xaead_seal(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key,
                std::span<const std::uint8_t, kXAeadNonceSize> nonce, ByteView plaintext,
                ByteView additional) {
    assert(out.size() == plaintext.size() + kAeadTagSize);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out.data(), nullptr, plaintext.data(), plaintext.size(),
                                               additional.data(), additional.size(), nullptr, nonce.data(),
                                               key.data());
}

bool xaead_open(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key,
                std::span<const std::uint8_t, kXAeadNonceSize> nonce, ByteView ciphertext,
                ByteView additional) {
    assert(out.size() + kAeadTagSize == ciphertext.size());
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, ciphertext.data(),
                                                   ciphertext.size(), additional.data(), additional.size(),
                                                   nonce.data(), key.data()) == 0)
        return true;
    sodium_memzero(out.data(), out.size());
    return false;
}

bool aead_known_answer() {
    // RFC 8439 A.5, the other way round: the tag is over all of the ciphertext, so it speaks for it.
    constexpr std::array<std::uint8_t, kAeadKeySize> kKey{
        0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a, 0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0,
        0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09, 0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0};
    constexpr std::array<std::uint8_t, 12> kAdditional{0xf3, 0x33, 0x88, 0x86, 0, 0, 0, 0, 0, 0, 0x4e, 0x91};
    constexpr std::uint64_t kCounter = 0x0807060504030201;
    constexpr std::string_view kPlaintext =
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, "
        "or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as "
        "reference "
        "material or to cite them other than as /\u201cwork in progress./\u201d";
    constexpr std::array<std::uint8_t, kAeadTagSize> kTag{0xee, 0xad, 0x9d, 0x67, 0x89, 0x0c, 0xbb, 0x22,
                                                          0x39, 0x23, 0x36, 0xfe, 0xa1, 0x85, 0x1f, 0x38};
    std::array<std::uint8_t, kPlaintext.size() + kAeadTagSize> sealed;
    std::array<std::uint8_t, kPlaintext.size()> opened;
    const ByteView plaintext(reinterpret_cast<const std::uint8_t*>(kPlaintext.data()), kPlaintext.size());
    aead_seal(sealed, kKey, kCounter, plaintext, kAdditional);
    if (!std::equal(kTag.begin(), kTag.end(), sealed.end() - kAeadTagSize)) return false;
    if (!aead_open(opened, kKey, kCounter, sealed, kAdditional)) return false;
    const bool same = std::equal(opened.begin(), opened.end(), plaintext.begin());
    sealed.back() ^= 1;
    return same && !aead_open(opened, kKey, kCounter, sealed, kAdditional);
}

} // namespace wgd::crypto
