// SPDX-License-Identifier: MIT
// The factories of the AEAD back ends, private to datapath/crypto. Each returns null where the back end
// cannot run.
#pragma once

#include "datapath/crypto/aead.hpp"

namespace wgd::crypto {

std::unique_ptr<Aead> make_sodium_aead();
std::unique_ptr<Aead> make_openssl_aead();
std::unique_ptr<Aead> make_ipsec_mb_aead(); // only where WGD_HAVE_IPSEC_MB is defined

} // namespace wgd::crypto
