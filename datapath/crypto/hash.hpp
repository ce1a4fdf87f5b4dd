// SPDX-License-Identifier: MIT
// BLAKE2s in the four uses of WireGuard (WG 5.4): HASH, MAC, HMAC and the key derivation built on it.
// RFC 7693; the work is done by libb2. Pure functions, no allocation; intermediate secrets are wiped.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "common/base/bytes.hpp"
#include "common/base/secret.hpp"

namespace wgd::crypto {

inline constexpr std::size_t kHashSize = 32;
inline constexpr std::size_t kMacSize = 16;

using Hash = std::array<std::uint8_t, kHashSize>;
using Mac = std::array<std::uint8_t, kMacSize>;

// BLAKE2s-256 of the parts one after the other: hash({ck, identifier}).
[[nodiscard]] Hash hash(std::initializer_list<ByteView> parts);

// Keyed BLAKE2s with a 16-byte result: WG's MAC, used for mac1, mac2 and cookies. key.size() <= 32.
[[nodiscard]] Mac keyed_mac(ByteView key, ByteView message);
// Keyed BLAKE2s with a 32-byte result, as the published vectors have it. key.size() <= 32.
[[nodiscard]] Hash keyed_hash(ByteView key, ByteView message);

// HMAC of RFC 2104 over BLAKE2s-256 (block size 64).
[[nodiscard]] Secret<kHashSize> hmac(ByteView key, std::initializer_list<ByteView> parts);

// KDF1, KDF2, KDF3 of WG 5.4. The outputs may be the key itself: each is written after the last read.
void kdf1(Secret<kHashSize>& out1, ByteView key, ByteView input);
void kdf2(Secret<kHashSize>& out1, Secret<kHashSize>& out2, ByteView key, ByteView input);
void kdf3(Secret<kHashSize>& out1, Secret<kHashSize>& out2, Secret<kHashSize>& out3, ByteView key,
          ByteView input);

// SipHash-2-4, for hash tables whose keys a stranger may choose: without the key nobody can aim at one
// bucket.
using TableKey = std::array<std::uint8_t, 16>;
[[nodiscard]] std::uint64_t table_hash(const TableKey& key, ByteView data);

} // namespace wgd::crypto
