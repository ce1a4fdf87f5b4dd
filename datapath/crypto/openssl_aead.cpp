// SPDX-License-Identifier: MIT
// OpenSSL EVP with one context per direction and thread. The key is set once per burst, the nonce per packet.
//
// libcrypto is opened when it is tried out, not linked: its relocations cost every start milliseconds and
// every process more than a MiB, and where another back end is faster nobody uses it.
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include "datapath/crypto/backends.hpp"

namespace wgd::crypto {

namespace {

#define WGD_STRING_OF(x) #x
#define WGD_STRING(x) WGD_STRING_OF(x)
constexpr const char* kLibrary = "libcrypto.so." WGD_STRING(OPENSSL_SHLIB_VERSION);

// The functions used, by their own names and types.
struct Libcrypto {
    decltype(&::EVP_CIPHER_CTX_new) context_new = nullptr;
    decltype(&::EVP_CIPHER_CTX_free) context_free = nullptr;
    decltype(&::EVP_CIPHER_CTX_ctrl) context_control = nullptr;
    decltype(&::EVP_chacha20_poly1305) cipher = nullptr;
    decltype(&::EVP_EncryptInit_ex) encrypt_init = nullptr;
    decltype(&::EVP_EncryptUpdate) encrypt_update = nullptr;
    decltype(&::EVP_EncryptFinal_ex) encrypt_final = nullptr;
    decltype(&::EVP_DecryptInit_ex) decrypt_init = nullptr;
    decltype(&::EVP_DecryptUpdate) decrypt_update = nullptr;
    decltype(&::EVP_DecryptFinal_ex) decrypt_final = nullptr;

    // Null if the library or one of the functions is missing. Stays open for the life of the process.
    static const Libcrypto* get() {
        static const Libcrypto library;
        return library.complete_ ? &library : nullptr;
    }

  private:
    Libcrypto() {
        void* const handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) return;
        const auto find = [&](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
            return function != nullptr;
        };
        complete_ = find(context_new, "EVP_CIPHER_CTX_new") && find(context_free, "EVP_CIPHER_CTX_free") &&
                    find(context_control, "EVP_CIPHER_CTX_ctrl") && find(cipher, "EVP_chacha20_poly1305") &&
                    find(encrypt_init, "EVP_EncryptInit_ex") && find(encrypt_update, "EVP_EncryptUpdate") &&
                    find(encrypt_final, "EVP_EncryptFinal_ex") && find(decrypt_init, "EVP_DecryptInit_ex") &&
                    find(decrypt_update, "EVP_DecryptUpdate") && find(decrypt_final, "EVP_DecryptFinal_ex");
    }
    bool complete_ = false;
};

struct ContextDeleter {
    const Libcrypto* library;
    void operator()(EVP_CIPHER_CTX* context) const { library->context_free(context); } // clears the key
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

class OpensslAead final : public Aead {
  public:
    OpensslAead(const Libcrypto& library, Context seal, Context open)
        : lib_(library)
        , seal_(std::move(seal))
        , open_(std::move(open)) {}

    void seal(const AeadKey& key, std::span<AeadPacket> packets) override {
        EVP_CIPHER_CTX* const context = seal_.get();
        const std::uint8_t* new_key = key.data();
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            int written = 0;
            lib_.encrypt_init(context, nullptr, nullptr, new_key, nonce);
            new_key = nullptr;
            if (!key.additional.empty())
                lib_.encrypt_update(context, nullptr, &written, key.additional.data(),
                                    static_cast<int>(key.additional.size()));
            written = 0;
            if (packet.length > 0) // an empty update would mean "finish" to some providers
                lib_.encrypt_update(context, packet.out, &written, packet.in,
                                    static_cast<int>(packet.length));
            lib_.encrypt_final(context, packet.out + written, &written);
            lib_.context_control(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, packet.out + packet.length);
        }
    }

    void open(const AeadKey& key, std::span<AeadPacket> packets) override {
        EVP_CIPHER_CTX* const context = open_.get();
        const std::uint8_t* new_key = key.data();
        std::uint8_t nonce[12];
        std::memcpy(nonce, key.nonce_prefix.data(), 4);
        for (AeadPacket& packet : packets) {
            store_le(nonce + 4, packet.counter);
            std::uint8_t tag[kAeadTagSize];
            std::memcpy(tag, packet.in + packet.length, sizeof tag);
            int written = 0;
            bool ok = lib_.decrypt_init(context, nullptr, nullptr, new_key, nonce) == 1;
            new_key = nullptr;
            ok = ok && lib_.context_control(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag) == 1;
            if (ok && !key.additional.empty())
                ok = lib_.decrypt_update(context, nullptr, &written, key.additional.data(),
                                         static_cast<int>(key.additional.size())) == 1;
            written = 0;
            if (ok && packet.length > 0)
                ok = lib_.decrypt_update(context, packet.out, &written, packet.in,
                                         static_cast<int>(packet.length)) == 1;
            packet.authentic = ok && lib_.decrypt_final(context, packet.out + written, &written) == 1;
        }
    }

  private:
    const Libcrypto& lib_;
    Context seal_;
    Context open_;
};

} // namespace

std::unique_ptr<Aead> make_openssl_aead() {
    const Libcrypto* const library = Libcrypto::get();
    if (library == nullptr) return nullptr;
    Context seal(library->context_new(), ContextDeleter{library});
    Context open(library->context_new(), ContextDeleter{library});
    const std::uint8_t zero[kAeadKeySize] = {};
    if (!seal || !open || library->encrypt_init(seal.get(), library->cipher(), nullptr, zero, zero) != 1 ||
        library->decrypt_init(open.get(), library->cipher(), nullptr, zero, zero) != 1)
        return nullptr;
    return std::make_unique<OpensslAead>(*library, std::move(seal), std::move(open));
}

} // namespace wgd::crypto
