// SPDX-License-Identifier: MIT
#include "datapath/crypto/x25519.hpp"

#include <sodium.h>

namespace wgd::crypto {

bool x25519(Secret<kKeySize>& shared, const PrivateKey& private_key, const PublicKey& public_key) {
    // libsodium refuses points of small order before multiplying and an all-zero result after.
    const int status = crypto_scalarmult_curve25519(shared.expose_mut().data(), private_key.expose().data(),
                                                    public_key.bytes().data());
    if (status != 0 || shared.is_zero()) {
        shared.wipe();
        return false;
    }
    return true;
}

PrivateKey generate_private_key(Random& random) {
    Secret<kKeySize> bytes;
    random.fill(bytes.expose_mut());
    return clamp_private_key(bytes.expose());
}

} // namespace wgd::crypto
