// SPDX-License-Identifier: MIT
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <thread>

#include "datapath/crypto/aead.hpp"
#include "datapath/crypto/aead_source.hpp"
#include "tests/unit/datapath_crypto/vectors.hpp"

using namespace wgd;
using namespace wgd::crypto;
using wgd::test::fixed;
using wgd::test::from_hex;

namespace {

struct Vector {
    std::string id;
    bool valid;
    Bytes key, iv, aad, msg, ct; // ct with the tag
};

std::vector<Vector> load(const std::string& file) {
    std::vector<Vector> vectors;
    for (const auto& f : test::read_vectors(file)) {
        Vector v{f.at(0),           f.at(1) == "valid", from_hex(f.at(2)), from_hex(f.at(3)),
                 from_hex(f.at(4)), from_hex(f.at(5)),  from_hex(f.at(6))};
        const Bytes tag = from_hex(f.at(7));
        v.ct.insert(v.ct.end(), tag.begin(), tag.end());
        vectors.push_back(std::move(v));
    }
    return vectors;
}

struct NamedAead {
    AeadBackend backend;
    std::unique_ptr<Aead> aead;
};

std::vector<NamedAead> all_backends() {
    std::vector<NamedAead> all;
    for (AeadBackend backend : available_aead_backends())
        all.push_back({backend, make_aead(backend)});
    return all;
}

} // namespace

TEST_CASE("single messages: wycheproof, as far as WireGuard's nonce can express it") {
    std::size_t run = 0;
    for (const Vector& v : load("chacha20_poly1305.txt")) {
        if (v.iv[0] != 0 || v.iv[1] != 0 || v.iv[2] != 0 || v.iv[3] != 0) continue;
        ++run;
        INFO("tcId " << v.id);
        const auto counter = load_le<std::uint64_t>(v.iv.data() + 4);
        Bytes plain(v.ct.size() - kAeadTagSize, 0xaa);
        CHECK(aead_open(plain, fixed<32>(v.key), counter, v.ct, v.aad) == v.valid);
        if (!v.valid) {
            CHECK(std::all_of(plain.begin(), plain.end(), [](std::uint8_t byte) { return byte == 0; }));
            continue;
        }
        CHECK(plain == v.msg);
        Bytes sealed(v.msg.size() + kAeadTagSize);
        aead_seal(sealed, fixed<32>(v.key), counter, v.msg, v.aad);
        CHECK(sealed == v.ct);
    }
    CHECK(run == 10);
}

TEST_CASE("XChaCha20-Poly1305 agrees with wycheproof") {
    const auto vectors = load("xchacha20_poly1305.txt");
    REQUIRE(vectors.size() > 300);
    for (const Vector& v : vectors) {
        INFO("tcId " << v.id);
        Bytes plain(v.ct.size() - kAeadTagSize, 0xaa);
        CHECK(xaead_open(plain, fixed<32>(v.key), fixed<24>(v.iv), v.ct, v.aad) == v.valid);
        if (!v.valid) continue;
        CHECK(plain == v.msg);
        Bytes sealed(v.msg.size() + kAeadTagSize);
        xaead_seal(sealed, fixed<32>(v.key), fixed<24>(v.iv), v.msg, v.aad);
        CHECK(sealed == v.ct);
    }
}

TEST_CASE("every back end of this machine passes its self-test") {
    const auto backends = all_backends();
    REQUIRE_FALSE(backends.empty());
    for (const NamedAead& it : backends) {
        INFO(to_string(it.backend));
        CHECK(aead_self_test(*it.aead));
    }
}

TEST_CASE("every back end gives wycheproof's bytes") {
    const auto vectors = load("chacha20_poly1305.txt");
    REQUIRE(vectors.size() == 316);
    for (const NamedAead& it : all_backends()) {
        INFO(to_string(it.backend));
        for (const Vector& v : vectors) {
            INFO("tcId " << v.id);
            AeadKey key(fixed<32>(v.key));
            std::copy_n(v.iv.begin(), 4, key.nonce_prefix.begin());
            key.additional = v.aad;
            Bytes buffer = v.ct;
            AeadPacket packet{buffer.data(), buffer.data(),
                              static_cast<std::uint32_t>(v.ct.size() - kAeadTagSize), !v.valid,
                              load_le<std::uint64_t>(v.iv.data() + 4)};
            it.aead->open(key, {&packet, 1});
            CHECK(packet.authentic == v.valid);
            if (!v.valid) continue;
            CHECK(std::equal(v.msg.begin(), v.msg.end(), buffer.begin()));
            it.aead->seal(key, {&packet, 1});
            CHECK(buffer == v.ct);
        }
    }
}

// The keys and messages of all vectors, edge cases of Poly1305 among them, under WireGuard's nonces, and
// random bursts of unequal lengths: every back end must produce the bytes of the single-message function, in
// place and out of place.
TEST_CASE("back ends agree with each other on bursts") {
    std::mt19937_64 rng(20261122);
    const auto vectors = load("chacha20_poly1305.txt");
    for (const NamedAead& it : all_backends()) {
        INFO(to_string(it.backend));
        for (int round = 0; round < 300; ++round) {
            const Bytes& key_bytes = vectors[rng() % vectors.size()].key;
            const AeadKey key(fixed<32>(key_bytes));
            const std::size_t count = 1 + rng() % 150;
            const bool in_place = rng() % 2 == 0;
            std::vector<Bytes> in(count), out(count), plain(count);
            std::vector<AeadPacket> packets(count);
            for (std::size_t i = 0; i < count; ++i) {
                plain[i] = rng() % 2 ? vectors[rng() % vectors.size()].msg : Bytes(rng() % 1500);
                for (std::size_t b = 0; b < plain[i].size() && rng() % 64 != 0; ++b)
                    plain[i][b] ^= static_cast<std::uint8_t>(rng());
                in[i] = plain[i];
                in[i].resize(plain[i].size() + kAeadTagSize);
                out[i].resize(plain[i].size() + kAeadTagSize);
                packets[i] = {in[i].data(), in_place ? in[i].data() : out[i].data(),
                              static_cast<std::uint32_t>(plain[i].size()), false, rng()};
            }
            it.aead->seal(key, packets);
            std::set<std::size_t> damaged;
            for (std::size_t i = 0; i < count; ++i) {
                Bytes want(plain[i].size() + kAeadTagSize);
                aead_seal(want, fixed<32>(key_bytes), packets[i].counter, plain[i], {});
                Bytes& got = in_place ? in[i] : out[i];
                REQUIRE(got == want);
                if (rng() % 8 == 0) {
                    got[rng() % got.size()] ^= static_cast<std::uint8_t>(1U << (rng() % 8));
                    damaged.insert(i);
                }
                packets[i].in = got.data();
                packets[i].out = got.data();
            }
            it.aead->open(key, packets);
            for (std::size_t i = 0; i < count; ++i) {
                REQUIRE(packets[i].authentic == (damaged.count(i) == 0));
                if (packets[i].authentic)
                    REQUIRE(std::equal(plain[i].begin(), plain[i].end(), packets[i].out));
            }
        }
    }
}

TEST_CASE("sealing does not write past the tag") {
    for (const NamedAead& it : all_backends()) {
        INFO(to_string(it.backend));
        const AeadKey key;
        for (std::uint32_t length = 0; length < 700; ++length) {
            Bytes buffer(length + kAeadTagSize + 64, 0x5a);
            AeadPacket packet{buffer.data(), buffer.data(), length, false, length};
            it.aead->seal(key, {&packet, 1});
            REQUIRE(std::all_of(buffer.end() - 64, buffer.end(), [](std::uint8_t b) { return b == 0x5a; }));
            it.aead->open(key, {&packet, 1});
            REQUIRE(packet.authentic);
            REQUIRE(std::all_of(buffer.begin(), buffer.begin() + length,
                                [](std::uint8_t b) { return b == 0x5a; }));
        }
    }
}

TEST_CASE("a back end that lies fails the self-test") {
    struct Forgetful final : Aead { // seals correctly, never looks at the tag
        std::unique_ptr<Aead> inner = make_aead(AeadBackend::kSodium);
        void seal(const AeadKey& key, std::span<AeadPacket> packets) override { inner->seal(key, packets); }
        void open(const AeadKey& key, std::span<AeadPacket> packets) override {
            inner->open(key, packets);
            for (AeadPacket& packet : packets)
                packet.authentic = true;
        }
    } forgetful;
    CHECK_FALSE(aead_self_test(forgetful));
}

TEST_CASE("choosing a back end") {
    const auto chosen = choose_aead_backend();
    REQUIRE(chosen);
    const auto available = available_aead_backends();
    CHECK(std::find(available.begin(), available.end(), *chosen) != available.end());

    // What is used without asking all of them is here, and not slower than libsodium.
    if (const auto likely = likely_aead_backend()) {
        CHECK(std::find(available.begin(), available.end(), *likely) != available.end());
        const auto tried = try_out_aead(*likely);
        REQUIRE(tried);
        CHECK(tried->backend == *likely);
        CHECK(aead_self_test(*tried->aead));
    }
    const auto sodium = try_out_aead(AeadBackend::kSodium);
    REQUIRE(sodium);
    CHECK(sodium->backend == AeadBackend::kSodium);
    REQUIRE(choose_aead_backend("sodium"));
    CHECK(*choose_aead_backend("sodium") == AeadBackend::kSodium);
    CHECK(*choose_aead_backend("openssl") == AeadBackend::kOpenssl);
    const auto unknown = choose_aead_backend("rot13");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == ErrorCode::kInvalidArgument);
    const auto null = choose_aead_backend("null"); // exists in no build that is installed
    CHECK_FALSE(null);
}

TEST_CASE("the plain functions give RFC 8439's answer") {
    CHECK(aead_known_answer());
}

TEST_CASE("a source tries out its back end once, whoever asks first") {
    std::atomic<int> announced{0};
    AeadSource source(likely_aead_backend().value_or(AeadBackend::kSodium), false,
                      [&](AeadBackend) { ++announced; });
    std::array<std::unique_ptr<Aead>, 8> made;
    std::vector<std::thread> threads;
    for (auto& aead : made)
        threads.emplace_back([&] { aead = source.make(); });
    for (std::thread& thread : threads)
        thread.join();
    CHECK(announced == 1);
    for (auto& aead : made) {
        REQUIRE(aead);
        CHECK(aead_self_test(*aead));
    }
}
