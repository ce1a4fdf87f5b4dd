// SPDX-License-Identifier: MIT
// ChaCha20-Poly1305 as WireGuard uses it (WG 5.4, RFC 8439), behind one interface with several back ends.
//
// Two ways in. Transport packets go through an `Aead`, which works on bursts of packets of one key, because
// that is how the libraries are fastest (docs/performance.md). Handshake fields and cookies, a few per
// session, use the plain functions below it.
//
// An `Aead` belongs to one thread (it holds the library's scratch space); an `AeadKey` is immutable and may
// be used by any number of threads at once. Nothing here allocates after construction, fails or logs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"
#include "common/base/secret.hpp"

namespace wgd::crypto {

inline constexpr std::size_t kAeadKeySize = 32;
inline constexpr std::size_t kAeadTagSize = 16;
inline constexpr std::size_t kXAeadNonceSize = 24;

// A transport key, prepared once per session. Zeroed on destruction.
class AeadKey {
  public:
    AeadKey() = default;
    explicit AeadKey(std::span<const std::uint8_t, kAeadKeySize> key)
        : bytes_(key) {}
    explicit AeadKey(Secret<kAeadKeySize>&& key)
        : bytes_(std::move(key)) {}
    [[nodiscard]] const std::uint8_t* data() const { return bytes_.expose().data(); }
    void wipe() { bytes_.wipe(); }

    // WireGuard's nonces begin with four zero bytes and its transport packets have no additional data. The
    // published vectors use all of RFC 8439, so that a back end can only be held against them if these can be
    // set.
    std::array<std::uint8_t, 4> nonce_prefix{};
    ByteView additional; // not owned

  private:
    Secret<kAeadKeySize> bytes_;
};

// One packet of a burst. The nonce is four zero bytes and the little-endian counter (WG 5.4.6). `in` and
// `out` are equal, or do not overlap.
struct AeadPacket {
    const std::uint8_t* in = nullptr;
    std::uint8_t* out = nullptr;
    std::uint32_t length = 0; // bytes of plaintext, both ways; the ciphertext has kAeadTagSize more
    bool authentic = false;   // set by open(); if false, `out` holds rubbish
    std::uint64_t counter = 0;
};

class Aead {
  public:
    virtual ~Aead() = default;
    Aead(const Aead&) = delete;
    Aead& operator=(const Aead&) = delete;

    // Writes length + kAeadTagSize bytes to every packet's `out`.
    virtual void seal(const AeadKey& key, std::span<AeadPacket> packets) = 0;
    // Reads length + kAeadTagSize bytes, writes length, and sets `authentic` of every packet.
    virtual void open(const AeadKey& key, std::span<AeadPacket> packets) = 0;

  protected:
    Aead() = default;
};

enum class AeadBackend { kIpsecMb, kOpenssl, kSodium };

[[nodiscard]] std::string_view to_string(AeadBackend backend); // "ipsec-mb", "openssl", "sodium"
[[nodiscard]] std::optional<AeadBackend> parse_aead_backend(std::string_view name);

// The back ends of this build that this CPU can run. libsodium is always one.
[[nodiscard]] std::vector<AeadBackend> available_aead_backends();

// Null if the back end is not available here.
[[nodiscard]] std::unique_ptr<Aead> make_aead(AeadBackend backend);

// Round trips over the lengths where implementations switch code paths, held against the plain functions
// below.
[[nodiscard]] bool aead_self_test(Aead& aead);
// The plain functions below against the published vector (RFC 8439 A.5): all that handshakes rest on.
[[nodiscard]] bool aead_known_answer();

// The back end that is the fastest wherever it was measured, if this CPU is one of those: then the others
// need not be asked (docs/performance.md). A look at the CPU's features, no more.
[[nodiscard]] std::optional<AeadBackend> likely_aead_backend();

// `candidate`, if it is here, passes its self-test and is not slower than libsodium; else libsodium, if it
// passes. Takes half a millisecond and touches nothing that is not used later, unlike choose_aead_backend(),
// which loads all there is.
struct TriedAead {
    AeadBackend backend;
    std::unique_ptr<Aead> aead;
};
[[nodiscard]] std::optional<TriedAead> try_out_aead(AeadBackend candidate);

// Runs the self-test on every available back end, times those that pass for one or two milliseconds in all,
// and returns the fastest. `wanted` (main passes $WGD_AEAD) names one instead; it must exist and pass.
// kUnsupported if none does.
[[nodiscard]] Result<AeadBackend> choose_aead_backend(std::optional<std::string_view> wanted = std::nullopt);

// --- single messages (handshake, cookies) ---

// AEAD(key, counter, plaintext, additional data) of WG 5.4. out.size() == plaintext.size() + kAeadTagSize.
void aead_seal(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key, std::uint64_t counter,
               ByteView plaintext, ByteView additional);
// False, and `out` zeroed, if the tag is wrong. out.size() + kAeadTagSize == ciphertext.size().
[[nodiscard]] bool aead_open(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key,
                             std::uint64_t counter, ByteView ciphertext, ByteView additional);

// XAEAD of WG 5.4: XChaCha20-Poly1305 with a random 24-byte nonce. Sizes as above.
void xaead_seal(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key,
                std::span<const std::uint8_t, kXAeadNonceSize> nonce, ByteView plaintext,
                ByteView additional);
[[nodiscard]] bool xaead_open(ByteSpan out, std::span<const std::uint8_t, kAeadKeySize> key,
                              std::span<const std::uint8_t, kXAeadNonceSize> nonce, ByteView ciphertext,
                              ByteView additional);

} // namespace wgd::crypto
