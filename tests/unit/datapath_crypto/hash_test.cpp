// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <numeric>

#include "datapath/crypto/hash.hpp"
#include "tests/unit/datapath_crypto/vectors.hpp"

using namespace wgd;
using namespace wgd::crypto;
using wgd::test::from_hex;

namespace {

Bytes counting(std::size_t size) {
    Bytes bytes(size);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    return bytes;
}

Bytes to_bytes(const Secret<kHashSize>& secret) {
    return {secret.expose().begin(), secret.expose().end()};
}

Bytes plain_hash(const Bytes& data) {
    const Hash out = hash({data});
    return {out.begin(), out.end()};
}

// RFC 2104 spelled out once more, over vectors that are known to be right.
Bytes naive_hmac(Bytes key, const Bytes& text) {
    if (key.size() > 64) key = plain_hash(key);
    key.resize(64);
    Bytes inner, outer;
    for (std::uint8_t byte : key) {
        inner.push_back(byte ^ 0x36);
        outer.push_back(byte ^ 0x5c);
    }
    inner.insert(inner.end(), text.begin(), text.end());
    const Bytes digest = plain_hash(inner);
    outer.insert(outer.end(), digest.begin(), digest.end());
    return plain_hash(outer);
}

} // namespace

TEST_CASE("BLAKE2s known answers, plain and keyed") {
    const auto tests = test::read_vectors("blake2s.txt");
    REQUIRE(tests.size() == 512);
    const Bytes key = counting(32);
    for (const auto& f : tests) {
        INFO(f.at(0) << " " << f.at(1));
        const Bytes input = counting(std::stoul(f.at(0)));
        const Hash got = f.at(1) == "keyed" ? keyed_hash(key, input) : hash({input});
        CHECK(Bytes(got.begin(), got.end()) == from_hex(f.at(2)));
    }
}

TEST_CASE("a hash of parts is the hash of their concatenation") {
    const Bytes all = counting(200);
    for (std::size_t cut : {0UL, 1UL, 63UL, 64UL, 65UL, 128UL, 199UL, 200UL}) {
        const ByteView view(all);
        CHECK(hash({view.first(cut), view.subspan(cut)}) == hash({view}));
    }
}

TEST_CASE("a 16-byte MAC is not a truncated 32-byte one") { // the length is part of the parameter block
    const Bytes key = counting(32), text = counting(40);
    const Mac mac = keyed_mac(key, text);
    const Hash full = keyed_hash(key, text);
    CHECK_FALSE(std::equal(mac.begin(), mac.end(), full.begin()));
    CHECK(mac != keyed_mac(Bytes(32), text));
}

TEST_CASE("HMAC-BLAKE2s") {
    for (std::size_t key_size : {0UL, 1UL, 32UL, 63UL, 64UL, 65UL, 200UL})
        for (std::size_t text_size : {0UL, 1UL, 33UL, 64UL, 150UL}) {
            INFO(key_size << " " << text_size);
            const Bytes key = counting(key_size), text = counting(text_size);
            CHECK(to_bytes(hmac(key, {text})) == naive_hmac(key, text));
        }
}

TEST_CASE("KDF1, KDF2, KDF3 follow WG 5.4") {
    const Bytes key = counting(32), input = counting(48);
    const Bytes t0 = naive_hmac(key, input);
    const Bytes t1 = naive_hmac(t0, {1});
    Bytes next = t1;
    next.push_back(2);
    const Bytes t2 = naive_hmac(t0, next);
    next = t2;
    next.push_back(3);
    const Bytes t3 = naive_hmac(t0, next);

    Secret<kHashSize> a, b, c;
    kdf1(a, key, input);
    CHECK(to_bytes(a) == t1);
    kdf2(a, b, key, input);
    CHECK(to_bytes(a) == t1);
    CHECK(to_bytes(b) == t2);
    kdf3(a, b, c, key, input);
    CHECK(to_bytes(a) == t1);
    CHECK(to_bytes(b) == t2);
    CHECK(to_bytes(c) == t3);

    // The chaining key is usually both key and first output.
    Secret<kHashSize> chain{std::span<const std::uint8_t, 32>(key.data(), 32)};
    kdf2(chain, b, chain.expose(), input);
    CHECK(to_bytes(chain) == t1);
    CHECK(to_bytes(b) == t2);
}

TEST_CASE("the initial chaining key and hash of WG 5.4") { // values every implementation agrees on
    const std::string construction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
    const std::string identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com";
    const auto view = [](const std::string& text) {
        return ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    };
    const Hash ck = hash({view(construction)});
    const Hash h = hash({ck, view(identifier)});
    CHECK(encode_hex(ck) == "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
    CHECK(encode_hex(h) == "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3");
}

TEST_CASE("SipHash-2-4 of its paper's appendix") {
    TableKey key;
    for (std::size_t i = 0; i < key.size(); ++i)
        key[i] = static_cast<std::uint8_t>(i);
    std::array<std::uint8_t, 15> input;
    for (std::size_t i = 0; i < input.size(); ++i)
        input[i] = static_cast<std::uint8_t>(i);
    CHECK(table_hash(key, input) == 0xa129ca6149be45e5);
}
