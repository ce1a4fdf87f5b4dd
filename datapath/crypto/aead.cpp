// SPDX-License-Identifier: MIT
// Choosing an AEAD back end: which are there, which answer correctly, which is fastest on this machine now.
#include "datapath/crypto/aead.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <sodium.h>

#include "datapath/crypto/backends.hpp"
#include "datapath/crypto/cpu.hpp"
#include "datapath/crypto/race.hpp"

namespace wgd::crypto {

std::string_view to_string(AeadBackend backend) {
    switch (backend) {
    case AeadBackend::kIpsecMb:
        return "ipsec-mb";
    case AeadBackend::kOpenssl:
        return "openssl";
    case AeadBackend::kSodium:
        return "sodium";
    }
    return "?";
}

std::optional<AeadBackend> parse_aead_backend(std::string_view name) {
    for (AeadBackend backend : {AeadBackend::kIpsecMb, AeadBackend::kOpenssl, AeadBackend::kSodium})
        if (to_string(backend) == name) return backend;
    return std::nullopt;
}

std::unique_ptr<Aead> make_aead(AeadBackend backend) {
    switch (backend) {
    case AeadBackend::kIpsecMb:
#ifdef WGD_HAVE_IPSEC_MB
        return make_ipsec_mb_aead();
#else
        return nullptr;
#endif
    case AeadBackend::kOpenssl:
        return make_openssl_aead();
    case AeadBackend::kSodium:
        return make_sodium_aead();
    }
    return nullptr;
}

std::vector<AeadBackend> available_aead_backends() {
    std::vector<AeadBackend> available;
    for (AeadBackend backend : {AeadBackend::kIpsecMb, AeadBackend::kOpenssl, AeadBackend::kSodium})
        if (make_aead(backend) != nullptr) available.push_back(backend);
    return available;
}

namespace {

// RFC 8439 has no vector without additional data and with four zero bytes leading the nonce, so the answer to
// compare with comes from libsodium's plain function, which the unit tests hold against the published
// vectors. What can be wrong in a back end at run time is a vector code path of this CPU, and those differ
// with the length and with the position in a burst: hence all lengths around the block and lane boundaries,
// in one burst of unequal packets.
constexpr std::array<std::uint32_t, 24> kTestLengths{0,   1,   15,   16,   17,   63,   64,   65,
                                                     112, 127, 128,  129,  255,  256,  257,  320,
                                                     511, 512, 1024, 1025, 1419, 1420, 1456, 2000};
constexpr std::size_t kTestSlot = 2048;

} // namespace

bool aead_self_test(Aead& aead) {
    std::array<std::uint8_t, kAeadKeySize> key_bytes;
    for (std::size_t i = 0; i < key_bytes.size(); ++i)
        key_bytes[i] = static_cast<std::uint8_t>(0x80 + i);
    const AeadKey key{std::span<const std::uint8_t, kAeadKeySize>(key_bytes)};

    Bytes plain(kTestSlot);
    for (std::size_t i = 0; i < plain.size(); ++i)
        plain[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
    Bytes buffers(kTestLengths.size() * kTestSlot);
    Bytes expected(kTestSlot);
    std::array<AeadPacket, kTestLengths.size()> packets;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        std::uint8_t* const at = buffers.data() + i * kTestSlot;
        std::memcpy(at, plain.data(), kTestLengths[i]);
        packets[i] = {at, at, kTestLengths[i], false, 0x0102030405060708ULL * (i + 1)};
    }

    aead.seal(key, packets);
    for (const AeadPacket& packet : packets) {
        const ByteSpan want(expected.data(), packet.length + kAeadTagSize);
        aead_seal(want, key_bytes, packet.counter, {plain.data(), packet.length}, {});
        if (std::memcmp(packet.out, want.data(), want.size()) != 0) return false;
    }
    // Damage every third tag and every third ciphertext; the rest must open.
    for (std::size_t i = 0; i < packets.size(); ++i) {
        if (i % 3 == 1)
            packets[i].out[packets[i].length + i % kAeadTagSize] ^= 0x40;
        else if (i % 3 == 2 && packets[i].length > 0)
            packets[i].out[packets[i].length / 2] ^= 0x01;
    }
    aead.open(key, packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        if (packets[i].authentic != (i % 3 == 0)) return false;
        if (packets[i].authentic && std::memcmp(packets[i].out, plain.data(), packets[i].length) != 0)
            return false;
    }
    return true;
}

namespace {

// Times one back end on bursts of full packets.
class Contestant {
  public:
    explicit Contestant(AeadBackend backend, std::unique_ptr<Aead> aead)
        : backend_(backend)
        , aead_(std::move(aead))
        , buffers_(kPackets * kSlot) {
        for (std::size_t i = 0; i < kPackets; ++i)
            packets_[i] = {buffers_.data() + i * kSlot, buffers_.data() + i * kSlot, kLength, false, i};
    }
    std::chrono::nanoseconds run() {
        using Clock = std::chrono::steady_clock;
        const auto begin = Clock::now();
        aead_->seal(key_, packets_);
        return Clock::now() - begin;
    }
    [[nodiscard]] AeadBackend backend() const { return backend_; }
    [[nodiscard]] std::unique_ptr<Aead> take() { return std::move(aead_); }

  private:
    static constexpr std::size_t kPackets = 8;
    static constexpr std::uint32_t kLength = 1424;
    static constexpr std::size_t kSlot = 1472;
    AeadBackend backend_;
    std::unique_ptr<Aead> aead_;
    AeadKey key_;
    Bytes buffers_;
    std::array<AeadPacket, kPackets> packets_;
};

// Those of `backends` that are there and pass their self-test.
std::vector<Contestant> contestants_of(std::initializer_list<AeadBackend> backends) {
    std::vector<Contestant> contestants;
    for (AeadBackend backend : backends) {
        std::unique_ptr<Aead> aead = make_aead(backend);
        if (aead && aead_self_test(*aead)) contestants.emplace_back(backend, std::move(aead));
    }
    return contestants;
}

// A round of three takes about 30 microseconds. On a busy machine four rounds chose libsodium in one start of
// 150 although it takes three times as long; a clear lead ends it after two.
constexpr int kRounds = 100;

Contestant& fastest(std::vector<Contestant>& contestants) {
    if (contestants.size() == 1) return contestants.front();
    std::vector<TimedRun> runs;
    for (Contestant& contestant : contestants)
        runs.emplace_back([&contestant] { return contestant.run(); });
    return contestants[fastest_of(runs, kRounds)];
}

} // namespace

std::optional<AeadBackend> likely_aead_backend() {
#ifdef WGD_HAVE_IPSEC_MB
    // OpenSSL was never more than 2.7 times as fast as libsodium, the multi-buffer library with AVX2 or
    // AVX-512 more than three times (docs/performance.md).
    if (cpu_has_avx2()) return AeadBackend::kIpsecMb;
#endif
    return std::nullopt;
}

std::optional<TriedAead> try_out_aead(AeadBackend candidate) {
    std::vector<Contestant> contestants = candidate == AeadBackend::kSodium
                                              ? contestants_of({AeadBackend::kSodium})
                                              : contestants_of({candidate, AeadBackend::kSodium});
    if (contestants.empty()) return std::nullopt;
    Contestant& best = fastest(contestants);
    return TriedAead{best.backend(), best.take()};
}

Result<AeadBackend> choose_aead_backend(std::optional<std::string_view> wanted) {
    if (wanted) {
        const std::optional<AeadBackend> backend = parse_aead_backend(*wanted);
        if (!backend)
            return fail(ErrorCode::kInvalidArgument,
                        "unknown cipher back end '" + std::string(*wanted) + "' (ipsec-mb, openssl, sodium)");
        const std::unique_ptr<Aead> aead = make_aead(*backend);
        if (!aead)
            return fail(ErrorCode::kUnsupported,
                        "cipher back end '" + std::string(*wanted) + "' is not available on this machine");
        if (!aead_self_test(*aead))
            return fail(ErrorCode::kUnsupported,
                        "cipher back end '" + std::string(*wanted) + "' gives wrong results");
        return *backend;
    }

    std::vector<Contestant> contestants =
        contestants_of({AeadBackend::kIpsecMb, AeadBackend::kOpenssl, AeadBackend::kSodium});
    if (contestants.empty())
        return fail(ErrorCode::kUnsupported, "no cipher back end passes its self-test on this machine");
    return fastest(contestants).backend();
}

} // namespace wgd::crypto
