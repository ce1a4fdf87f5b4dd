// SPDX-License-Identifier: MIT
#include "common/model/keys.hpp"

#include "common/base/encoding.hpp"

namespace wgd {

std::optional<PublicKey> PublicKey::from_base64(std::string_view text) {
    PublicKey key;
    return decode_base64(text, key.bytes_) ? std::optional(key) : std::nullopt;
}

std::optional<PublicKey> PublicKey::from_hex(std::string_view text) {
    PublicKey key;
    return decode_hex(text, key.bytes_) ? std::optional(key) : std::nullopt;
}

std::string PublicKey::to_base64() const {
    return encode_base64(bytes_);
}
std::string PublicKey::to_hex() const {
    return encode_hex(bytes_);
}

template <class Tag>
std::optional<SecretKey<Tag>> SecretKey<Tag>::from_base64(std::string_view text) {
    SecretKey key;
    if (!decode_base64(text, key.expose_mut())) return std::nullopt;
    return key;
}

template <class Tag>
std::optional<SecretKey<Tag>> SecretKey<Tag>::from_hex(std::string_view text) {
    SecretKey key;
    if (!decode_hex(text, key.expose_mut())) return std::nullopt;
    return key;
}

template <class Tag>
std::string SecretKey<Tag>::reveal_base64() const {
    return encode_base64(expose());
}

template <class Tag>
std::string SecretKey<Tag>::reveal_hex() const {
    return encode_hex(expose());
}

template class SecretKey<PrivateKeyTag>;
template class SecretKey<PresharedKeyTag>;

PrivateKey clamp_private_key(std::span<const std::uint8_t, kKeySize> random32) {
    PrivateKey key(random32);
    auto bytes = key.expose_mut();
    bytes[0] &= 248;
    bytes[31] = static_cast<std::uint8_t>((bytes[31] & 127) | 64);
    return key;
}

PublicKey derive_public_key(const PrivateKey& key) {
    std::array<std::uint8_t, kKeySize> bytes{};
    // The base point is no low-order point, so this cannot fail; libsodium clamps a copy of the scalar.
    (void)crypto_scalarmult_curve25519_base(bytes.data(), key.expose().data());
    return PublicKey(bytes);
}

PrivateKey as_device_holds(const PrivateKey& key) {
    return key.is_zero() ? PrivateKey{} : clamp_private_key(key.expose());
}

} // namespace wgd
