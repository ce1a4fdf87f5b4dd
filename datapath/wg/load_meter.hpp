// SPDX-License-Identifier: MIT
// Are we under load (WG 5.3)? If handshakes queue up behind the one at hand, or more of them come per second
// than a well-meant crowd would send; and for a second after that.
#pragma once

#include <cstddef>
#include <optional>

#include "datapath/wg/protocol.hpp"

namespace wgd::wg {

class LoadMeter {
  public:
    // A handshake message that will cost a Diffie-Hellman has come, `waiting` more behind it.
    void note(std::size_t waiting, Instant now) {
        if (!second_ || now - *second_ >= 1s) {
            second_ = now;
            in_second_ = 0;
        }
        if (waiting >= kLoadBacklog || ++in_second_ > kLoadInitiationsPerSecond) until_ = now + kLoadHold;
    }
    [[nodiscard]] bool under_load(Instant now) const { return until_ && now < *until_; }

  private:
    std::optional<Instant> second_;
    unsigned in_second_ = 0;
    std::optional<Instant> until_;
};

} // namespace wgd::wg
