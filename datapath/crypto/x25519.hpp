// SPDX-License-Identifier: MIT
// X25519 (RFC 7748): DH and DH-GENERATE of WG 5.4. libsodium does the work.
#pragma once

#include "common/base/time.hpp"
#include "common/model/keys.hpp"

namespace wgd::crypto {

// DH(private, public). False, and `shared` zeroed, if the result is all zero (a point of small order): the
// caller must drop the handshake. About 45 microseconds.
[[nodiscard]] bool x25519(Secret<kKeySize>& shared, const PrivateKey& private_key,
                          const PublicKey& public_key);

// A clamped private key from `random`; derive_public_key() of common/model gives its public half.
[[nodiscard]] PrivateKey generate_private_key(Random& random);

} // namespace wgd::crypto
