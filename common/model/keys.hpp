// SPDX-License-Identifier: MIT
// Curve25519 keys and preshared keys as types that cannot be mixed up (WG 5.1; wg(8) for their text form).
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.hpp"
#include "common/base/secret.hpp"

namespace wgd {

inline constexpr std::size_t kKeySize = 32;
inline constexpr std::size_t kKeyBase64Size = 44;

class PublicKey {
  public:
    PublicKey() = default; // all zero: "no key"
    explicit PublicKey(std::array<std::uint8_t, kKeySize> bytes)
        : bytes_(bytes) {}
    static std::optional<PublicKey> from_base64(std::string_view text); // canonical only
    static std::optional<PublicKey> from_hex(std::string_view text);

    [[nodiscard]] const std::array<std::uint8_t, kKeySize>& bytes() const { return bytes_; }
    [[nodiscard]] bool is_zero() const { return *this == PublicKey{}; }
    [[nodiscard]] std::string to_base64() const;
    [[nodiscard]] std::string to_hex() const;

    auto operator<=>(const PublicKey&) const = default;

  private:
    std::array<std::uint8_t, kKeySize> bytes_{};
};

// A secret key. No operator prints it; the two to_* functions hand back plain strings for the wire and for
// files the user asked for, and their callers own the consequences.
template <class Tag>
class SecretKey : public Secret<kKeySize> {
  public:
    using Secret<kKeySize>::Secret;
    SecretKey() = default;
    SecretKey(Secret<kKeySize>&& bytes)
        : Secret<kKeySize>(std::move(bytes)) {}
    static std::optional<SecretKey> from_base64(std::string_view text);
    static std::optional<SecretKey> from_hex(std::string_view text);
    [[nodiscard]] SecretKey clone() const { return SecretKey(expose()); }
    [[nodiscard]] std::string reveal_base64() const;
    [[nodiscard]] std::string reveal_hex() const;
};

struct PrivateKeyTag {};
struct PresharedKeyTag {};
using PrivateKey = SecretKey<PrivateKeyTag>;
using PresharedKey = SecretKey<PresharedKeyTag>; // all zero means "none" (WG 5.2)

extern template class SecretKey<PrivateKeyTag>;
extern template class SecretKey<PresharedKeyTag>;

// Key generation and derivation (wg genkey, genpsk, pubkey). `random32` is 32 bytes from a strong source.
PrivateKey clamp_private_key(std::span<const std::uint8_t, kKeySize> random32);
PublicKey derive_public_key(const PrivateKey& key);
// As a device holds a key that it is given, whatever bits that has (RFC 7748 5); none stays none.
PrivateKey as_device_holds(const PrivateKey& key);

} // namespace wgd

template <>
struct std::hash<wgd::PublicKey> {
    std::size_t operator()(const wgd::PublicKey& key) const noexcept {
        std::size_t word = 0; // keys are uniformly distributed: any eight bytes do
        std::memcpy(&word, key.bytes().data(), sizeof word);
        return word;
    }
};
