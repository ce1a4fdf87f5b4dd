// SPDX-License-Identifier: MIT
// Staging: packets that wait for a session. At most kMaxStagedPackets per peer and kMaxBytes in all; the
// oldest of the same peer gives way. The one place where a mutex stands between data and control threads:
// nothing that can be sent comes here. What is let go of, sent or not, is zeroed: it is plaintext.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/secret_text.hpp"

namespace wgd::wg {

class Peer;

// A peer's share; empty most of the time.
struct StagedQueue {
    std::unique_ptr<std::deque<SecretBytes>> packets;
};

class Staging {
  public:
    static constexpr std::size_t kMaxBytes = 8u << 20;

    // Copies the packet. Returns how many packets were lost for it (of this peer, or this one itself).
    std::size_t push(Peer& peer, ByteView packet);
    [[nodiscard]] std::vector<SecretBytes> take(Peer& peer);
    void forget(Peer& peer);
    [[nodiscard]] bool has(Peer& peer);

  private:
    std::mutex mutex_;
    std::size_t bytes_ = 0;
};

} // namespace wgd::wg
