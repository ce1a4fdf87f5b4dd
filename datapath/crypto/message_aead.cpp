// SPDX-License-Identifier: MIT
// Single messages: libsodium, because it takes additional data and has the XChaCha20 variant.
#include <array>
#include <cassert>
#include <sodium.h>

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

} // namespace wgd::crypto
