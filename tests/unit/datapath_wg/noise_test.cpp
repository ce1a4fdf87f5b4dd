// SPDX-License-Identifier: MIT
// The handshake against the published vector, and every way it can fail.
#include <catch2/catch.hpp>
#include <map>

#include "datapath/crypto/aead.hpp"
#include "datapath/crypto/x25519.hpp"
#include "datapath/wg/noise.hpp"
#include "tests/unit/datapath_crypto/vectors.hpp"

using namespace wgd;
using namespace wgd::wg;
using wgd::test::fixed;
using wgd::test::from_hex;

namespace {

struct Vector {
    std::map<std::string, Bytes> values;
    std::vector<std::pair<Bytes, Bytes>> messages; // payload, ciphertext
};

Vector read_vector() {
    Vector vector;
    for (const auto& fields : test::read_vectors("noise_ikpsk2.txt")) {
        if (fields.at(0) == "message")
            vector.messages.emplace_back(from_hex(fields.at(1)), from_hex(fields.at(2)));
        else
            vector.values[fields.at(0)] = from_hex(fields.at(1));
    }
    return vector;
}

NoiseIdentity identity(const Bytes& private_key) {
    PrivateKey key{fixed<32>(private_key)};
    const PublicKey own = derive_public_key(key);
    return {std::move(key), own};
}

SharedSecret dh(const NoiseIdentity& own, const PublicKey& other) {
    SharedSecret shared;
    REQUIRE(crypto::x25519(shared, own.private_key, other));
    return shared;
}

Bytes seal(const Secret<32>& key, std::uint64_t counter, const Bytes& plaintext) {
    Bytes out(plaintext.size() + crypto::kAeadTagSize);
    crypto::aead_seal(out, key.expose(), counter, plaintext, {});
    return out;
}

} // namespace

TEST_CASE("the handshake agrees with the published Noise_IKpsk2 vector", "[noise]") {
    const Vector vector = read_vector();
    REQUIRE(vector.messages.size() == 6);
    const auto value = [&](const char* name) { return vector.values.at(name); };
    const NoiseIdentity initiator = identity(value("init_static"));
    const NoiseIdentity responder = identity(value("resp_static"));
    const Bytes remote = value("init_remote_static");
    REQUIRE(std::equal(remote.begin(), remote.end(), responder.public_key.bytes().begin()));
    const PresharedKey psk{fixed<32>(value("psk"))};
    const SymmetricState start = SymmetricState::start(value("prologue"));

    // first message
    const auto& [payload1, ciphertext1] = vector.messages[0];
    Bytes message1(ciphertext1.size());
    const auto sent = write_initiation(message1, start.clone(), initiator, responder.public_key,
                                       dh(initiator, responder.public_key),
                                       PrivateKey{fixed<32>(value("init_ephemeral"))}, payload1);
    REQUIRE(sent);
    CHECK(message1 == ciphertext1);

    auto received = read_initiation_static(message1, start.clone(), responder);
    REQUIRE(received);
    CHECK(received->remote_static == initiator.public_key);
    Bytes read1(payload1.size());
    REQUIRE(read_initiation_payload(*received, message1, dh(responder, initiator.public_key), read1));
    CHECK(read1 == payload1);

    // second message
    const auto& [payload2, ciphertext2] = vector.messages[1];
    Bytes message2(ciphertext2.size());
    const auto responder_done =
        write_response(message2, *received, PrivateKey{fixed<32>(value("resp_ephemeral"))}, psk, payload2);
    REQUIRE(responder_done);
    CHECK(message2 == ciphertext2);
    Bytes read2(payload2.size());
    const auto initiator_done = read_response(message2, *sent, initiator, psk, read2);
    REQUIRE(initiator_done);
    CHECK(read2 == payload2);

    // transcript and transport keys
    const Bytes transcript = value("handshake_hash");
    CHECK(std::equal(transcript.begin(), transcript.end(), initiator_done->transcript().begin()));
    CHECK(initiator_done->transcript() == responder_done->transcript());
    Secret<32> to_responder, to_initiator, to_responder2, to_initiator2;
    initiator_done->split(to_responder, to_initiator);
    responder_done->split(to_responder2, to_initiator2);
    CHECK(to_responder == to_responder2);
    CHECK(to_initiator == to_initiator2);
    for (std::size_t i = 2; i < vector.messages.size(); ++i) {
        const Secret<32>& key = i % 2 == 0 ? to_responder : to_initiator;
        CHECK(seal(key, (i - 2) / 2, vector.messages[i].first) == vector.messages[i].second);
    }
}

TEST_CASE("a handshake message changed in any byte is refused and changes nothing", "[noise]") {
    SECTION("with random keys") {
        Random& random = system_random();
        const auto fresh = [&] {
            PrivateKey key = crypto::generate_private_key(random);
            const PublicKey own = derive_public_key(key);
            return NoiseIdentity{std::move(key), own};
        };
        const NoiseIdentity a = fresh(), b = fresh();
        const SymmetricState start = SymmetricState::start({});
        const PresharedKey psk;
        const Bytes payload(12, 7);
        Bytes first(32 + 48 + 28);
        const auto sent = write_initiation(first, start.clone(), a, b.public_key, dh(a, b.public_key),
                                           crypto::generate_private_key(random), payload);
        REQUIRE(sent);

        for (std::size_t at = 0; at < first.size(); ++at) {
            Bytes changed = first;
            changed[at] ^= 0x10;
            auto received = read_initiation_static(changed, start.clone(), b);
            Bytes out(12);
            const bool accepted =
                received && read_initiation_payload(*received, changed, dh(b, a.public_key), out);
            INFO("byte " << at);
            CHECK_FALSE(accepted);
        }

        auto received = read_initiation_static(first, start.clone(), b);
        REQUIRE(received);
        // The payload under a wrong static-static secret fails and leaves the state usable.
        Bytes out(12);
        CHECK_FALSE(read_initiation_payload(*received, first, SharedSecret{}, out));
        REQUIRE(read_initiation_payload(*received, first, dh(b, a.public_key), out));
        CHECK(out == payload);

        Bytes second(32 + 16);
        REQUIRE(write_response(second, *received, crypto::generate_private_key(random), psk, {}));
        for (std::size_t at = 0; at < second.size(); ++at) {
            Bytes changed = second;
            changed[at] ^= 0x10;
            INFO("byte " << at);
            CHECK_FALSE(read_response(changed, *sent, a, psk, {}));
        }
        PresharedKey other;
        other.expose_mut()[5] = 1;
        CHECK_FALSE(read_response(second, *sent, a, other, {}));
        CHECK_FALSE(read_response(second, *sent, b, psk, {}));
        CHECK(read_response(second, *sent, a, psk, {})); // the failures before changed nothing
    }
}

TEST_CASE("points of small order are refused on every Diffie-Hellman", "[noise]") {
    Random& random = system_random();
    PrivateKey key = crypto::generate_private_key(random);
    const PublicKey own = derive_public_key(key);
    const NoiseIdentity me{std::move(key), own};
    std::array<std::uint8_t, 32> one{};
    one[0] = 1;
    for (const PublicKey& small : {PublicKey{}, PublicKey{one}}) {
        Bytes message(32 + 48 + 28);
        CHECK_FALSE(write_initiation(message, SymmetricState::start({}), me, small, SharedSecret{},
                                     crypto::generate_private_key(random), Bytes(12)));
        Bytes first(32 + 48 + 28);
        std::copy(small.bytes().begin(), small.bytes().end(), first.begin());
        CHECK_FALSE(read_initiation_static(first, SymmetricState::start({}), me));
        Bytes second(48);
        NoiseResponder responder{SymmetricState::start({}), own, small};
        CHECK_FALSE(write_response(second, responder, crypto::generate_private_key(random), {}, {}));
        NoiseInitiator initiator{SymmetricState::start({}), crypto::generate_private_key(random)};
        std::copy(small.bytes().begin(), small.bytes().end(), second.begin());
        CHECK_FALSE(read_response(second, initiator, me, {}, {}));
    }
}
