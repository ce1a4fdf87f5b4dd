// SPDX-License-Identifier: MIT
// OpenSSL EVP with one context per direction and thread. The key is set once per burst, the nonce per packet.
#include <openssl/evp.h>

#include "datapath/crypto/backends.hpp"

namespace wgd::crypto {

namespace {

struct ContextDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); } // clears the key
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

class OpensslAead final : public Aead {
  public:
    OpensslAead(Context seal, Context open)
        : seal_(std::move(seal))
        , open_(std::move(open)) {}

    void seal(const AeadKey& key, std::span<AeadPacket> packets) override {
        const std::uint8_t* new_key = key.data();
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            int written = 0;
            EVP_EncryptInit_ex(seal_.get(), nullptr, nullptr, new_key, nonce);
            new_key = nullptr;
            if (!key.additional.empty())
                EVP_EncryptUpdate(seal_.get(), nullptr, &written, key.additional.data(),
                                  static_cast<int>(key.additional.size()));
            written = 0;
            if (packet.length > 0) // a null or empty update would mean "finish" to some providers
                EVP_EncryptUpdate(seal_.get(), packet.out, &written, packet.in,
                                  static_cast<int>(packet.length));
            EVP_EncryptFinal_ex(seal_.get(), packet.out + written, &written);
            EVP_CIPHER_CTX_ctrl(seal_.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, packet.out + packet.length);
        }
    }

    void open(const AeadKey& key, std::span<AeadPacket> packets) override {
        const std::uint8_t* new_key = key.data();
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            std::uint8_t tag[kAeadTagSize];
            std::memcpy(tag, packet.in + packet.length, sizeof tag);
            int written = 0;
            bool ok = EVP_DecryptInit_ex(open_.get(), nullptr, nullptr, new_key, nonce) == 1;
            new_key = nullptr;
            ok = ok && EVP_CIPHER_CTX_ctrl(open_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag) == 1;
            if (ok && !key.additional.empty())
                ok = EVP_DecryptUpdate(open_.get(), nullptr, &written, key.additional.data(),
                                       static_cast<int>(key.additional.size())) == 1;
            written = 0;
            if (ok && packet.length > 0)
                ok = EVP_DecryptUpdate(open_.get(), packet.out, &written, packet.in,
                                       static_cast<int>(packet.length)) == 1;
            packet.authentic = ok && EVP_DecryptFinal_ex(open_.get(), packet.out + written, &written) == 1;
        }
    }

  private:
    Context seal_;
    Context open_;
};

} // namespace

std::unique_ptr<Aead> make_openssl_aead() {
    Context seal(EVP_CIPHER_CTX_new());
    Context open(EVP_CIPHER_CTX_new());
    const std::uint8_t zero[kAeadKeySize] = {};
    if (!seal || !open || EVP_EncryptInit_ex(seal.get(), EVP_chacha20_poly1305(), nullptr, zero, zero) != 1 ||
        EVP_DecryptInit_ex(open.get(), EVP_chacha20_poly1305(), nullptr, zero, zero) != 1)
        return nullptr;
    return std::make_unique<OpensslAead>(std::move(seal), std::move(open));
}

} // namespace wgd::crypto
