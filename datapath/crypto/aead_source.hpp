// SPDX-License-Identifier: MIT
// AeadSource: where data threads get their Aead. The back end that is most likely the best is tried out by
// the first thread that asks, while the others wait for the verdict and the control thread already answers
// its callers: nothing is sealed or opened by a back end that has not passed the self-test on this machine.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "datapath/crypto/aead.hpp"

namespace wgd::crypto {

class AeadSource {
  public:
    // `candidate` is tried out, and raced against libsodium, at the first make(); a back end that was tried
    // out before needs neither. `announce` is called once, with the one that is used, by the thread that
    // found out.
    AeadSource(AeadBackend candidate, bool tried_out, std::function<void(AeadBackend)> announce = {});

    // Any thread. Null if no back end gives right results here.
    [[nodiscard]] std::unique_ptr<Aead> make();

  private:
    std::mutex mutex_; // held while trying out
    AeadBackend backend_;
    bool tried_out_;
    bool nothing_works_ = false;
    std::function<void(AeadBackend)> announce_;
};

} // namespace wgd::crypto
