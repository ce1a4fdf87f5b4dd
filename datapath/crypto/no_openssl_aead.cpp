// SPDX-License-Identifier: MIT
// In place of openssl_aead.cpp in programs that are linked statically and cannot open a library.
#include "datapath/crypto/backends.hpp"

namespace wgd::crypto {

std::unique_ptr<Aead> make_openssl_aead() {
    return nullptr;
}

} // namespace wgd::crypto
