// SPDX-License-Identifier: MIT
#include "datapath/crypto/aead_source.hpp"

#include <utility>

namespace wgd::crypto {

AeadSource::AeadSource(AeadBackend candidate, bool tried_out, std::function<void(AeadBackend)> announce)
    : backend_(candidate)
    , tried_out_(tried_out)
    , announce_(std::move(announce)) {}

std::unique_ptr<Aead> AeadSource::make() {
    std::unique_ptr<Aead> made;
    {
        const std::lock_guard lock(mutex_);
        if (!tried_out_) {
            std::optional<TriedAead> best = try_out_aead(backend_);
            tried_out_ = true;
            nothing_works_ = !best;
            if (best) {
                backend_ = best->backend;
                made = std::move(best->aead);
            }
        }
        if (nothing_works_) return nullptr;
        if (announce_) std::exchange(announce_, {})(backend_);
    }
    return made ? std::move(made) : make_aead(backend_); // side by side: it takes a while
}

} // namespace wgd::crypto
