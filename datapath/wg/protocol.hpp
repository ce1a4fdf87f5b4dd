// SPDX-License-Identifier: MIT
// The constants of the protocol. Names and values of the first block are those of WG 6.1; the rest says its
// source.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/time.hpp"

namespace wgd::wg {

using namespace std::chrono_literals;

// WG 6.1
inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages =
    UINT64_MAX - (std::uint64_t{1} << 13); // 2^64 - 2^13 - 1
inline constexpr Duration kRekeyAfterTime = 120s;
inline constexpr Duration kRejectAfterTime = 180s;
inline constexpr Duration kRekeyAttemptTime = 90s;
inline constexpr Duration kRekeyTimeout = 5s;
inline constexpr Duration kKeepaliveTimeout = 10s;

// WG 6.1: a random amount up to a third of a second is added to every retransmission.
inline constexpr Duration kRekeyTimeoutJitter = 333ms;
// WG 6.4: how often an initiation may be sent before giving up (REKEY_ATTEMPT_TIME / REKEY_TIMEOUT).
inline constexpr unsigned kMaxHandshakeAttempts = kRekeyAttemptTime / kRekeyTimeout;
// WG 6.5: silence after data was sent that long means the session is dead to the other side.
inline constexpr Duration kNewHandshakeTime = kKeepaliveTimeout + kRekeyTimeout;
// WG 6.2: an initiator that receives renews in good time before the end, once per session.
inline constexpr Duration kLastMinuteTime = kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
// WG 6.3: keys and handshake state are zeroed that long after the last session was derived.
inline constexpr Duration kForgetTime = 3 * kRejectAfterTime;

// WG 5.4.7: the cookie secret changes every two minutes; a cookie is used a little less long than that.
inline constexpr Duration kCookieSecretLife = 120s;
inline constexpr Duration kCookieLife = kCookieSecretLife - 5s;

// WG 5.1: an initiation of one peer at most every 20 ms (50 per second); the timestamp is rounded down to a
// power of two below that, so that it tells little about the sender's clock (as the kernel does).
inline constexpr Duration kInitiationInterval = 20ms;
inline constexpr std::uint32_t kTimestampGranularity = 1u << 24; // nanoseconds

// WG 5.3: "under load". Measured by the queue behind a message and by the rate of initiations; stays for a
// second.
inline constexpr std::size_t kLoadBacklog = 64;
inline constexpr unsigned kLoadInitiationsPerSecond = 1000;
inline constexpr Duration kLoadHold = 1s;

// Of the outer header of handshake messages: DSCP AF41, no ECN, as the kernel sends them.
inline constexpr std::uint8_t kHandshakeTos = 0x88;

// RFC 791: the smallest MTU there is. A device that claims less (0, say) is padded for as if it were this.
inline constexpr std::uint32_t kLeastMtu = 68;

// WG 5.4
inline constexpr std::string_view kConstruction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
inline constexpr std::string_view kIdentifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
inline constexpr std::string_view kLabelMac1 = "mac1----";
inline constexpr std::string_view kLabelCookie = "cookie--";

} // namespace wgd::wg
