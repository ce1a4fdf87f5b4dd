// SPDX-License-Identifier: MIT
#include "datapath/wg/noise.hpp"

#include <cassert>

#include "datapath/crypto/aead.hpp"
#include "datapath/crypto/x25519.hpp"
#include "datapath/wg/protocol.hpp"

namespace wgd::wg {
namespace {

constexpr std::size_t kTag = crypto::kAeadTagSize;
constexpr std::size_t kSealedKey = kKeySize + kTag;

ByteView text(std::string_view string) {
    return {reinterpret_cast<const std::uint8_t*>(string.data()), string.size()};
}

PublicKey public_key(ByteView from) {
    std::array<std::uint8_t, kKeySize> bytes;
    std::memcpy(bytes.data(), from.data(), bytes.size());
    return PublicKey(bytes);
}

} // namespace

// --- SymmetricState ---

SymmetricState SymmetricState::start(ByteView prologue) {
    SymmetricState state;
    // The name is longer than a hash, so it is hashed (Noise 5.2).
    static_assert(kConstruction.size() > crypto::kHashSize);
    state.hash_ = crypto::hash({text(kConstruction)});
    state.chaining_key_ = Secret<32>(std::span<const std::uint8_t, 32>(state.hash_));
    state.mix_hash(prologue);
    return state;
}

SymmetricState SymmetricState::clone() const {
    SymmetricState copy;
    copy.chaining_key_ = chaining_key_.clone();
    copy.key_ = key_.clone();
    copy.hash_ = hash_;
    return copy;
}

void SymmetricState::mix_hash(ByteView data) {
    hash_ = crypto::hash({hash_, data});
}

void SymmetricState::mix_chaining_key(ByteView input) {
    crypto::kdf1(chaining_key_, chaining_key_.expose(), input);
}

void SymmetricState::mix_key(ByteView input) {
    crypto::kdf2(chaining_key_, key_, chaining_key_.expose(), input);
}

void SymmetricState::mix_key_and_hash(ByteView input) {
    Secret<32> to_hash;
    crypto::kdf3(chaining_key_, to_hash, key_, chaining_key_.expose(), input);
    mix_hash(to_hash.expose());
}

void SymmetricState::encrypt_and_hash(ByteSpan out, ByteView in) {
    assert(out.size() == in.size() + kTag);
    // Every key encrypts one field, so the nonce is always zero; the transcript is the additional data.
    crypto::aead_seal(out, key_.expose(), 0, in, hash_);
    mix_hash(out);
}

bool SymmetricState::decrypt_and_hash(ByteSpan out, ByteView in) {
    assert(in.size() == out.size() + kTag);
    if (!crypto::aead_open(out, key_.expose(), 0, in, hash_)) return false;
    mix_hash(in);
    return true;
}

void SymmetricState::split(Secret<32>& initiator_sends, Secret<32>& responder_sends) const {
    crypto::kdf2(initiator_sends, responder_sends, chaining_key_.expose(), {});
}

// --- first message: initiator to responder ---

std::optional<NoiseInitiator> write_initiation(ByteSpan message, SymmetricState state,
                                               const NoiseIdentity& own, const PublicKey& remote,
                                               const SharedSecret& static_static, PrivateKey ephemeral,
                                               ByteView payload) {
    assert(message.size() == kKeySize + kSealedKey + payload.size() + kTag);
    SharedSecret shared;

    // <- s (known before)
    state.mix_hash(remote.bytes());

    // e
    const PublicKey ephemeral_public = derive_public_key(ephemeral);
    std::memcpy(message.data(), ephemeral_public.bytes().data(), kKeySize);
    state.mix_hash(ephemeral_public.bytes());
    state.mix_chaining_key(ephemeral_public.bytes());

    // es
    if (!crypto::x25519(shared, ephemeral, remote)) return std::nullopt;
    state.mix_key(shared.expose());

    // s
    state.encrypt_and_hash(message.subspan(kKeySize, kSealedKey), own.public_key.bytes());

    // ss
    state.mix_key(static_static.expose());

    // payload
    state.encrypt_and_hash(message.subspan(kKeySize + kSealedKey), payload);

    return NoiseInitiator{std::move(state), std::move(ephemeral)};
}

std::optional<NoiseResponder> read_initiation_static(ByteView message, SymmetricState state,
                                                     const NoiseIdentity& own) {
    assert(message.size() >= kKeySize + kSealedKey + kTag);
    SharedSecret shared;

    // <- s (known before)
    state.mix_hash(own.public_key.bytes());

    // e
    const PublicKey remote_ephemeral = public_key(message.first(kKeySize));
    state.mix_hash(remote_ephemeral.bytes());
    state.mix_chaining_key(remote_ephemeral.bytes());

    // es
    if (!crypto::x25519(shared, own.private_key, remote_ephemeral)) return std::nullopt;
    state.mix_key(shared.expose());

    // s
    std::array<std::uint8_t, kKeySize> remote_static;
    if (!state.decrypt_and_hash(remote_static, message.subspan(kKeySize, kSealedKey))) return std::nullopt;

    return NoiseResponder{std::move(state), PublicKey(remote_static), remote_ephemeral};
}

bool read_initiation_payload(NoiseResponder& responder, ByteView message, const SharedSecret& static_static,
                             ByteSpan payload) {
    SymmetricState state = responder.symmetric.clone();

    // ss
    state.mix_key(static_static.expose());

    // payload
    if (!state.decrypt_and_hash(payload, message.subspan(kKeySize + kSealedKey))) return false;

    responder.symmetric = std::move(state);
    return true;
}

// --- second message: responder to initiator ---

std::optional<SymmetricState> write_response(ByteSpan message, const NoiseResponder& responder,
                                             PrivateKey ephemeral, const PresharedKey& psk,
                                             ByteView payload) {
    assert(message.size() == kKeySize + payload.size() + kTag);
    SymmetricState state = responder.symmetric.clone();
    SharedSecret shared;

    // e
    const PublicKey ephemeral_public = derive_public_key(ephemeral);
    std::memcpy(message.data(), ephemeral_public.bytes().data(), kKeySize);
    state.mix_hash(ephemeral_public.bytes());
    state.mix_chaining_key(ephemeral_public.bytes());

    // ee
    if (!crypto::x25519(shared, ephemeral, responder.remote_ephemeral)) return std::nullopt;
    state.mix_chaining_key(shared.expose());

    // se
    if (!crypto::x25519(shared, ephemeral, responder.remote_static)) return std::nullopt;
    state.mix_chaining_key(shared.expose());

    // psk
    state.mix_key_and_hash(psk.expose());

    // payload
    state.encrypt_and_hash(message.subspan(kKeySize), payload);

    return state;
}

std::optional<SymmetricState> read_response(ByteView message, const NoiseInitiator& initiator,
                                            const NoiseIdentity& own, const PresharedKey& psk,
                                            ByteSpan payload) {
    assert(message.size() == kKeySize + payload.size() + kTag);
    SymmetricState state = initiator.symmetric.clone();
    SharedSecret shared;

    // e
    const PublicKey remote_ephemeral = public_key(message.first(kKeySize));
    state.mix_hash(remote_ephemeral.bytes());
    state.mix_chaining_key(remote_ephemeral.bytes());

    // ee
    if (!crypto::x25519(shared, initiator.ephemeral, remote_ephemeral)) return std::nullopt;
    state.mix_chaining_key(shared.expose());

    // se
    if (!crypto::x25519(shared, own.private_key, remote_ephemeral)) return std::nullopt;
    state.mix_chaining_key(shared.expose());

    // psk
    state.mix_key_and_hash(psk.expose());

    // payload
    if (!state.decrypt_and_hash(payload, message.subspan(kKeySize))) return std::nullopt;

    return state;
}

} // namespace wgd::wg
