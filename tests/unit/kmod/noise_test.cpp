// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>

#include <map>

#include "kmod.hpp"

namespace {

// One end of a handshake.
struct End {
    noise_identity identity{};
    noise_handshake handshake{};

    End() { noise_identity_set(&identity, random_key().data()); }
    void meet(const End& other, const Key& psk) {
        noise_handshake_init(&handshake, other.identity.public_key);
        std::memcpy(handshake.preshared_key, psk.data(), psk.size());
    }
};

struct Pair {
    End initiator, responder;
    wg_msg_initiation first{};
    wg_msg_response second{};
    noise_opening opening{};
    s64 seconds = 1000000;
    u64 now = NSEC_PER_SEC;

    explicit Pair(const Key& psk1 = {}, const Key& psk2 = {}) {
        noise_module_init();
        initiator.meet(responder, psk1);
        responder.meet(initiator, psk2);
    }
    bool initiate() {
        u8 timestamp[WG_TIMESTAMP_SIZE];
        noise_timestamp(timestamp, ++seconds, 0);
        return noise_create_initiation(&initiator.handshake, &initiator.identity, random_key().data(),
                                       timestamp, 0x11, &first);
    }
    bool consume_first() {
        return noise_open_initiation(&opening, &responder.identity, &first) &&
               noise_consume_initiation(&responder.handshake, &responder.identity, &opening, &first,
                                        now += NSEC_PER_SEC);
    }
    bool respond() { return noise_create_response(&responder.handshake, random_key().data(), 0x22, &second); }
    bool consume_second() {
        return noise_consume_response(&initiator.handshake, &initiator.identity, &second);
    }
};

bool equal(const u8* a, const u8* b) {
    return !std::memcmp(a, b, WG_KEY_SIZE);
}

} // namespace

TEST_CASE("the shim's BLAKE2s gives the published results") {
    const auto tests = read_vectors("blake2s.txt");
    REQUIRE(tests.size() > 100);
    for (const auto& test : tests) {
        std::vector<u8> input(std::stoul(test[0])), key, expected = from_hex(test[2]);
        for (size_t i = 0; i < input.size(); ++i)
            input[i] = static_cast<u8>(i);
        for (u8 i = 0; test[1] == "keyed" && i < 32; ++i)
            key.push_back(i);
        blake2s_ctx context;
        blake2s_init_key(&context, expected.size(), key.data(), key.size());
        blake2s_update(&context, input.data(), input.size() / 3);
        blake2s_update(&context, input.data() + input.size() / 3, input.size() - input.size() / 3);
        std::vector<u8> out(expected.size());
        blake2s_final(&context, out.data());
        REQUIRE(out == expected);
    }
}

TEST_CASE("the published Noise_IKpsk2 vector, from the module's symmetric functions") {
    std::map<std::string, std::vector<u8>> value;
    std::vector<std::pair<std::vector<u8>, std::vector<u8>>> messages;
    for (const auto& line : read_vectors("noise_ikpsk2.txt")) {
        if (line[0] == "message")
            messages.emplace_back(from_hex(line[1]), from_hex(line[2]));
        else
            value[line[0]] = from_hex(line[1]);
    }
    REQUIRE(messages.size() >= 4);
    auto key_of = [&](const char* name) {
        REQUIRE(value[name].size() == WG_KEY_SIZE);
        return value[name].data();
    };
    static const char protocol[] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
    noise_symmetric s;
    // The module's own protocol name is this one, longer than a hash and thus hashed; only the prologue is
    // the vector's.
    noise_symmetric_init(&s, protocol, sizeof(protocol) - 1, value["prologue"].data(),
                         value["prologue"].size());
    Key ephemeral1, ephemeral2, static1, key;
    REQUIRE(curve25519_generate_public(ephemeral1.data(), key_of("init_ephemeral")));
    REQUIRE(curve25519_generate_public(ephemeral2.data(), key_of("resp_ephemeral")));
    REQUIRE(curve25519_generate_public(static1.data(), key_of("init_static")));

    // e, es, s, ss
    std::vector<u8> wire(ephemeral1.begin(), ephemeral1.end());
    noise_mix_hash(&s, key_of("init_remote_static"), WG_KEY_SIZE);
    noise_mix_ephemeral(&s, ephemeral1.data());
    REQUIRE(noise_mix_dh(&s, key.data(), key_of("init_ephemeral"), key_of("init_remote_static")));
    wire.resize(32 + 48);
    noise_seal(&s, wire.data() + 32, static1.data(), 32, key.data());
    REQUIRE(noise_mix_dh(&s, key.data(), key_of("init_static"), key_of("init_remote_static")));
    wire.resize(80 + messages[0].first.size() + 16);
    noise_seal(&s, wire.data() + 80, messages[0].first.data(), messages[0].first.size(), key.data());
    CHECK(wire == messages[0].second);

    // e, ee, se, psk
    wire.assign(ephemeral2.begin(), ephemeral2.end());
    noise_mix_ephemeral(&s, ephemeral2.data());
    REQUIRE(noise_mix_dh(&s, nullptr, key_of("resp_ephemeral"), ephemeral1.data()));
    REQUIRE(noise_mix_dh(&s, nullptr, key_of("resp_ephemeral"), static1.data()));
    noise_mix_psk(&s, key.data(), key_of("psk"));
    wire.resize(32 + messages[1].first.size() + 16);
    noise_seal(&s, wire.data() + 32, messages[1].first.data(), messages[1].first.size(), key.data());
    CHECK(wire == messages[1].second);
    if (value.count("handshake_hash")) CHECK(equal(s.hash, value["handshake_hash"].data()));

    // Transport, from the split.
    u8 k1[32], k2[32];
    noise_kdf(k1, k2, nullptr, s.chaining_key, nullptr, 0);
    for (size_t i = 2; i < messages.size(); ++i) {
        wire.resize(messages[i].first.size() + 16);
        chacha20poly1305_encrypt(wire.data(), messages[i].first.data(), messages[i].first.size(), nullptr, 0,
                                 i / 2 - 1, i % 2 ? k2 : k1);
        CHECK(wire == messages[i].second);
    }
}

TEST_CASE("both ends have each other's keys, with and without a preshared key") {
    for (const Key& psk : {Key{}, random_key()}) {
        Pair p(psk, psk);
        noise_keys a, b;
        REQUIRE(p.initiate());
        CHECK(p.first.sender == 0x11);
        REQUIRE(p.consume_first());
        CHECK(equal(p.opening.remote_static, p.initiator.identity.public_key));
        REQUIRE(p.respond());
        CHECK(p.second.receiver == 0x11);
        REQUIRE(p.consume_second());
        CHECK(p.initiator.handshake.remote_index == 0x22);
        REQUIRE(noise_split(&p.initiator.handshake, &a));
        REQUIRE(noise_split(&p.responder.handshake, &b));
        CHECK(equal(a.sending, b.receiving));
        CHECK(equal(a.receiving, b.sending));
        CHECK_FALSE(equal(a.sending, a.receiving));
        CHECK_FALSE(noise_split(&p.initiator.handshake, &a));
        CHECK(p.initiator.handshake.state == NOISE_IDLE);
    }
}

TEST_CASE("another preshared key, another receiver, another sender") {
    Pair p(random_key(), random_key());
    REQUIRE(p.initiate());
    REQUIRE(p.consume_first());
    REQUIRE(p.respond());
    CHECK_FALSE(p.consume_second());
    CHECK(p.initiator.handshake.state == NOISE_INITIATION_SENT);

    Pair q;
    End stranger;
    REQUIRE(q.initiate());
    CHECK_FALSE(noise_open_initiation(&q.opening, &stranger.identity, &q.first));
    stranger.meet(q.responder, {});
    q.initiator.handshake = stranger.handshake;
    q.initiator.identity = stranger.identity;
    REQUIRE(q.initiate());
    REQUIRE(noise_open_initiation(&q.opening, &q.responder.identity, &q.first));
    CHECK_FALSE(equal(q.opening.remote_static, q.responder.handshake.remote_static));
    CHECK_FALSE(
        noise_consume_initiation(&q.responder.handshake, &q.responder.identity, &q.opening, &q.first, 1));
}

TEST_CASE("a message with any bit changed leaves no trace") {
    Pair p;
    REQUIRE(p.initiate());
    const size_t first_len = offsetof(wg_msg_initiation, macs), second_len = offsetof(wg_msg_response, macs);
    for (size_t i = offsetof(wg_msg_initiation, ephemeral); i < first_len; ++i) {
        reinterpret_cast<u8*>(&p.first)[i] ^= 1 << (i % 7);
        CHECK_FALSE(p.consume_first());
        CHECK(p.responder.handshake.state == NOISE_IDLE);
        CHECK(p.responder.handshake.last_initiation == 0);
        reinterpret_cast<u8*>(&p.first)[i] ^= 1 << (i % 7);
    }
    REQUIRE(p.consume_first());
    REQUIRE(p.respond());
    for (size_t i = offsetof(wg_msg_response, ephemeral); i < second_len; ++i) {
        reinterpret_cast<u8*>(&p.second)[i] ^= 1 << (i % 7);
        CHECK_FALSE(p.consume_second());
        CHECK(p.initiator.handshake.state == NOISE_INITIATION_SENT);
        reinterpret_cast<u8*>(&p.second)[i] ^= 1 << (i % 7);
    }
    CHECK(p.consume_second());
    CHECK_FALSE(p.consume_second());
}

TEST_CASE("initiations: none twice, none older than the last, none too soon") {
    Pair p;
    REQUIRE(p.initiate());
    REQUIRE(p.consume_first());
    CHECK_FALSE(p.consume_first());
    p.seconds -= 2;
    REQUIRE(p.initiate());
    CHECK_FALSE(p.consume_first());
    p.seconds += 10;
    REQUIRE(p.initiate());
    p.now = p.responder.handshake.last_initiation + NSEC_PER_SEC / 100 - NSEC_PER_SEC;
    CHECK_FALSE(p.consume_first());
    CHECK(p.consume_first());
    // What was there outlives a clear.
    noise_handshake_clear(&p.responder.handshake);
    CHECK_FALSE(p.consume_first());
}

TEST_CASE("public keys of low order, and no own key") {
    Pair p;
    std::memset(p.initiator.handshake.remote_static, 0, WG_KEY_SIZE);
    CHECK_FALSE(p.initiate());
    Pair q;
    REQUIRE(q.initiate());
    std::memset(q.first.ephemeral, 0, WG_KEY_SIZE);
    CHECK_FALSE(q.consume_first());
    noise_identity_set(&q.initiator.identity, Key{}.data());
    CHECK_FALSE(q.initiator.identity.set);
    CHECK_FALSE(q.initiate());
}

TEST_CASE("timestamps grow with time, and tell no more of it than 17 ms") {
    u8 a[WG_TIMESTAMP_SIZE], b[WG_TIMESTAMP_SIZE];
    noise_timestamp(a, 5, 0);
    noise_timestamp(b, 5, 0xffffff);
    CHECK(!std::memcmp(a, b, sizeof(a)));
    noise_timestamp(b, 5, 0x1000000);
    CHECK(std::memcmp(a, b, sizeof(a)) < 0);
    noise_timestamp(a, 6, 0);
    CHECK(std::memcmp(b, a, sizeof(a)) < 0);
    CHECK(a[0] == 0x40);
}

TEST_CASE("padding: to 16, never beyond the MTU") {
    for (unsigned mtu : {0u, 576u, 1401u, 1420u, 1500u})
        for (unsigned len = 0; len < 5000; ++len) {
            const unsigned padded = wg_padded_len(len, mtu);
            REQUIRE(padded >= len);
            REQUIRE(padded < len + 16);
            if (mtu && len <= mtu) REQUIRE(padded <= mtu);
            REQUIRE((padded % 16 == 0 || (mtu && (padded % mtu == 0 || len > mtu))));
        }
}
