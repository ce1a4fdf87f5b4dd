// SPDX-License-Identifier: MIT
// mac1, mac2 and cookies (WG 5.4.4, 5.4.7): proof that a sender knows our public key, and, under load, that
// it owns the address it sends from. CookieChecker is the side that receives handshakes, CookieKeeper the
// side that sends.
#pragma once

#include <optional>

#include "common/base/secret.hpp"
#include "common/model/keys.hpp"
#include "datapath/crypto/hash.hpp"
#include "datapath/wg/message.hpp"
#include "datapath/wg/path.hpp"

namespace wgd::wg {

using Cookie = crypto::Mac;

// HASH(label || public key), the two keys everyone who knows a public key can compute.
[[nodiscard]] crypto::Hash mac1_key(const PublicKey& key);
[[nodiscard]] crypto::Hash cookie_key(const PublicKey& key);

enum class MacState {
    kInvalid,         // mac1 is wrong: not meant for us, never answered
    kValid,           // mac1 is right
    kValidWithCookie, // mac1 and mac2 are right: it really comes from there
};

// One per device.
class CookieChecker {
  public:
    explicit CookieChecker(Random& random)
        : random_(&random) {}
    void set_key(const PublicKey& own);

    // Of an initiation or response. mac2 is looked at only if `want_cookie`.
    [[nodiscard]] MacState check(ByteView message, const Endpoint& from, bool want_cookie, Instant now);
    // Fills `reply` (kCookieReplySize) for a message whose mac1 is valid.
    void write_reply(ByteSpan reply, ByteView message, const Endpoint& from, Instant now);

  private:
    // MAC(secret of these two minutes, sender's address and port).
    [[nodiscard]] Cookie make_cookie(const Endpoint& from, Instant now);

    Random* random_;
    crypto::Hash mac1_key_{};
    crypto::Hash cookie_key_{};
    Secret<crypto::kHashSize> secret_;
    std::optional<Instant> secret_birth_;
};

// One per peer.
class CookieKeeper {
  public:
    // Writes mac1 and mac2 into the last kMacsSize bytes of a finished message to `peer`, and remembers mac1.
    void add_macs(ByteSpan message, const PublicKey& peer, Instant now);
    // Takes the cookie out of a reply. False if it does not answer the last message, or was answered before.
    [[nodiscard]] bool consume_reply(ByteView reply, const PublicKey& peer, Instant now);
    void forget();

  private:
    bool awaiting_reply_ = false; // last_mac1_ was sent and no cookie for it has come
    crypto::Mac last_mac1_{};
    std::optional<Instant> cookie_birth_;
    Cookie cookie_{};
};

} // namespace wgd::wg
