// SPDX-License-Identifier: MIT
// The back end that is always there.
#include <sodium.h>

#include "datapath/crypto/backends.hpp"

namespace wgd::crypto {

namespace {

class SodiumAead final : public Aead {
  public:
    void seal(const AeadKey& key, std::span<AeadPacket> packets) override {
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            crypto_aead_chacha20poly1305_ietf_encrypt(packet.out, nullptr, packet.in, packet.length,
                                                      key.additional.data(), key.additional.size(), nullptr,
                                                      nonce, key.data());
        }
    }

    void open(const AeadKey& key, std::span<AeadPacket> packets) override {
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            packet.authentic = crypto_aead_chacha20poly1305_ietf_decrypt(
                                   packet.out, nullptr, nullptr, packet.in, packet.length + kAeadTagSize,
                                   key.additional.data(), key.additional.size(), nonce, key.data()) == 0;
        }
    }
};

} // namespace

std::unique_ptr<Aead> make_sodium_aead() {
    return sodium_init() < 0 ? nullptr : std::make_unique<SodiumAead>();
}

} // namespace wgd::crypto
