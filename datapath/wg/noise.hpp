// SPDX-License-Identifier: MIT
// Noise_IKpsk2 (noiseprotocol.org/noise.html; WG 5.4.2, 5.4.3): the two messages of the handshake, token by
// token. Nothing of WireGuard but the construction's name is in here: prologue and payloads are arguments, so
// that the published vectors run through this very code.
//
// Every function works on locals and commits at its end: a message that fails to authenticate changes
// nothing. Ephemeral keys come in as arguments; a key is used for one handshake only.
#pragma once

#include <optional>

#include "common/base/secret.hpp"
#include "common/model/keys.hpp"
#include "datapath/crypto/hash.hpp"

namespace wgd::wg {

using SharedSecret = Secret<kKeySize>;

// Chaining key and transcript hash (the Noise SymmetricState).
class SymmetricState {
  public:
    SymmetricState() = default;
    // InitializeSymmetric(construction), MixHash(prologue).
    static SymmetricState start(ByteView prologue);
    [[nodiscard]] SymmetricState clone() const;

    void mix_hash(ByteView data);
    void mix_chaining_key(ByteView input); // MixKey whose cipher key nobody needs
    void mix_key(ByteView input);          // MixKey
    void mix_key_and_hash(ByteView input); // MixKeyAndHash, for the psk token
    // With the key of the last mix_key; both add the ciphertext to the transcript. out.size() == in.size()
    // +- 16.
    void encrypt_and_hash(ByteSpan out, ByteView in);
    [[nodiscard]] bool decrypt_and_hash(ByteSpan out, ByteView in);
    // The initiator's sending key, the responder's sending key.
    void split(Secret<32>& initiator_sends, Secret<32>& responder_sends) const;

    [[nodiscard]] const crypto::Hash& transcript() const { return hash_; }

  private:
    Secret<32> chaining_key_;
    Secret<32> key_;
    crypto::Hash hash_{};
};

struct NoiseIdentity {
    PrivateKey private_key;
    PublicKey public_key;
};

// What an initiator keeps between its message and the answer.
struct NoiseInitiator {
    SymmetricState symmetric;
    PrivateKey ephemeral;
};

// What a responder keeps between reading the first message and writing the second.
struct NoiseResponder {
    SymmetricState symmetric;
    PublicKey remote_static;
    PublicKey remote_ephemeral;
};

// message = ephemeral 32 | static 32+16 | payload +16; sized by the caller. `static_static` is DH(own,
// remote), which callers keep per peer. nullopt if the remote key is a point of small order.
[[nodiscard]] std::optional<NoiseInitiator>
write_initiation(ByteSpan message, SymmetricState start, const NoiseIdentity& own, const PublicKey& remote,
                 const SharedSecret& static_static, PrivateKey ephemeral, ByteView payload);

// First half of reading it: who is it? (e, es, s). remote_static is decrypted but says nothing about who sent
// it until read_initiation_payload() succeeds.
[[nodiscard]] std::optional<NoiseResponder> read_initiation_static(ByteView message, SymmetricState start,
                                                                   const NoiseIdentity& own);
// Second half (ss, payload). payload.size() + 80 + 16 == message.size().
[[nodiscard]] bool read_initiation_payload(NoiseResponder& responder, ByteView message,
                                           const SharedSecret& static_static, ByteSpan payload);

// message = ephemeral 32 | payload +16. Returns the state to split.
[[nodiscard]] std::optional<SymmetricState> write_response(ByteSpan message, const NoiseResponder& responder,
                                                           PrivateKey ephemeral, const PresharedKey& psk,
                                                           ByteView payload);
[[nodiscard]] std::optional<SymmetricState> read_response(ByteView message, const NoiseInitiator& initiator,
                                                          const NoiseIdentity& own, const PresharedKey& psk,
                                                          ByteSpan payload);

} // namespace wgd::wg
